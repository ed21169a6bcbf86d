//! Apps to put to sleep, as their owners would write them.

/// The kit's app, which speaks gRPC too: methods with Echo in their name send each message back.
pub(crate) const KIT: &str = "loco.test/app:v1";

/// An app: what runs it, its Service, and its route.
pub(crate) struct App {
    name: String,
    kind: &'static str,
    image: String,
    variables: Vec<(String, String)>,
    /// The Gateway that its route names, and where that is.
    gateway: (String, String),
    route: Route,
    policy: String,
    /// How often, and how late first, the kubelet asks whether it is ready.
    probe: &'static str,
}

/// What sends it requests.
enum Route {
    Http,
    Grpc,
}

impl App {
    /// A Deployment at `NAME.test`, behind a Gateway (namespace, name).
    pub(crate) fn new(name: &str, gateway: (&str, &str)) -> Self {
        Self {
            name: name.to_owned(),
            kind: "Deployment",
            image: crate::cluster::image("LOCO_APP_IMAGE"),
            // In a pod, whose address it is that is asked.
            variables: vec![("BIND".to_owned(), "0.0.0.0".to_owned())],
            gateway: (gateway.0.to_owned(), gateway.1.to_owned()),
            route: Route::Http,
            policy: String::new(),
            probe: "periodSeconds: 30, initialDelaySeconds: 15",
        }
    }

    /// A StatefulSet without volumes.
    pub(crate) fn stateful(mut self) -> Self {
        self.kind = "StatefulSet";
        self
    }

    /// Behind a GRPCRoute: grpc-go's server of its interoperability tests, or the kit's app where there is no such server.
    pub(crate) fn grpc(mut self, image: &str) -> Self {
        self.route = Route::Grpc;
        self.image = image.to_owned();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Ready for the cluster's own balancing soon after it is up.
    pub(crate) fn probed_each_second(mut self) -> Self {
        self.probe = "periodSeconds: 1";
        self
    }

    /// With a SleepPolicy of this spec, but for its target.
    pub(crate) fn sleeping(mut self, spec: &str) -> Self {
        self.policy = spec.to_owned();
        self
    }

    /// What runs it, as kubectl names it.
    pub(crate) fn workload(&self) -> (&'static str, &str) {
        (self.kind, &self.name)
    }

    pub(crate) fn host(&self) -> String {
        format!("{}.test", self.name)
    }

    /// All of it.
    pub(crate) fn yaml(&self) -> String {
        [self.workload_yaml(), self.service_yaml(), self.route_yaml(), self.policy_yaml()].join("\n---\n")
    }

    /// What runs it, alone: for who deploys it anew.
    pub(crate) fn workload_yaml(&self) -> String {
        let Self { name, kind, image, probe, .. } = self;
        let variables =
            self.variables.iter().map(|(name, value)| format!("{{ name: {name}, value: {value:?} }}"));
        let variables = variables.collect::<Vec<_>>().join(", ");
        let (arguments, ready) = match self.route {
            Route::Http => ("[]", "httpGet: { path: /readyz, port: http }"),
            Route::Grpc if *image == KIT => ("[]", "tcpSocket: { port: http }"),
            Route::Grpc => ("[--port=8080]", "tcpSocket: { port: http }"),
        };
        let extra = if *kind == "StatefulSet" { format!("serviceName: {name}") } else { String::new() };
        format!(
            "
apiVersion: apps/v1
kind: {kind}
metadata: {{ name: {name} }}
spec:
  replicas: 1
  {extra}
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 5
      containers:
        - name: app
          image: {image}
          imagePullPolicy: IfNotPresent
          args: {arguments}
          env: [{variables}]
          ports: [{{ name: http, containerPort: 8080 }}]
          readinessProbe: {{ {ready}, {probe} }}
"
        )
    }

    fn service_yaml(&self) -> String {
        let name = &self.name;
        format!(
            "
apiVersion: v1
kind: Service
metadata: {{ name: {name} }}
spec:
  selector: {{ app: {name} }}
  ports: [{{ name: http, port: 80, targetPort: http }}]
"
        )
    }

    fn route_yaml(&self) -> String {
        let Self { name, gateway: (namespace, gateway), .. } = self;
        let kind = match self.route {
            Route::Http => "HTTPRoute",
            Route::Grpc => "GRPCRoute",
        };
        format!(
            "
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{ name: {name} }}
spec:
  parentRefs: [{{ name: {gateway}, namespace: {namespace} }}]
  hostnames: [{name}.test]
  rules: [{{ backendRefs: [{{ name: {name}, port: 80 }}] }}]
"
        )
    }

    fn policy_yaml(&self) -> String {
        if self.policy.is_empty() {
            return String::new();
        }
        let Self { name, kind, policy, .. } = self;
        format!(
            "
apiVersion: edge.loco.io/v1alpha1
kind: SleepPolicy
metadata: {{ name: {name} }}
spec:
  targetRefs: [{{ kind: {kind}, name: {name} }}]
  {policy}
"
        )
    }
}
