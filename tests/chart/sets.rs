//! Values that people write.

/// Each is what somebody may want; all must be right for helm.
pub(crate) const SETS: [(&str, &str); 6] = [
    ("nothing", "{}"),
    (
        "a small cluster",
        "
gateway: { replicas: 1, service: { type: NodePort }, ports: [{ name: http, port: 80, containerPort: 8080, nodePort: 30080 }] }
revive: { replicas: 1, disruptionBudget: { enabled: false } }
defaultGateway: { create: true }
networkPolicy: { enabled: false }
",
    ),
    (
        "a large one",
        "
image: { repository: registry.example/edge, digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000', pullSecrets: [pull] }
gateway:
  autoscaling: { enabled: true, minReplicas: 4, maxReplicas: 40 }
  ports:
    - { name: http, port: 80, containerPort: 8080 }
    - { name: https, port: 443, containerPort: 8443 }
  service: { annotations: { example.com/proxy: 'yes' }, loadBalancerSourceRanges: [192.0.2.0/24] }
  priorityClassName: system-cluster-critical
  drainSeconds: 300
metrics: { podMonitor: { enabled: true } }
networkPolicy: { admin: [{ namespaceSelector: { matchLabels: { name: monitoring } } }] }
",
    ),
    (
        "cert-manager",
        "
link: { certificates: certManager, certManager: { issuerRef: { name: link } } }
extraCertificates: { configMap: roots }
",
    ),
    (
        "own secrets",
        "
link: { certificates: existing, existing: { gatewaySecret: g, reviveSecret: r } }
admin: { existingSecret: tokens, adminSha256: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', viewerSha256: 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb' }
",
    ),
    (
        "loco",
        "
config: |
  region = \"eu-1\"
  [kubernetes]
  loco = true
rbac:
  loco: true
  secrets: [{ namespace: edge, names: [wildcard-cert] }]
  secretNamespaces: [wks-7-res-1]
networkPolicy: { workspaces: { '7': [wks-7-res-1, wks-7-res-2], '8': [wks-8-res-3] } }
",
    ),
];
