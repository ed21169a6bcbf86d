{{- define "loco-edge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "loco-edge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "loco-edge.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "loco-edge.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes of a release: selectors are of these. Called with the root and the half. */}}
{{- define "loco-edge.selector" -}}
app.kubernetes.io/name: {{ include "loco-edge.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .half }}
{{- end -}}

{{- define "loco-edge.labels" -}}
{{ include "loco-edge.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "loco-edge.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where gateways find revive. */}}
{{- define "loco-edge.linkHost" -}}
{{ include "loco-edge.fullname" . }}-revive-link.{{ .Release.Namespace }}.svc
{{- end -}}

{{/* The Secret with the certificate of a half. */}}
{{- define "loco-edge.linkSecret" -}}
{{- if eq .root.Values.link.certificates "existing" -}}
{{- if eq .half "gateway" -}}
{{- required "link.existing.gatewaySecret: the Secret with the gateways' certificate" .root.Values.link.existing.gatewaySecret -}}
{{- else -}}
{{- required "link.existing.reviveSecret: the Secret with revive's certificate" .root.Values.link.existing.reviveSecret -}}
{{- end -}}
{{- else -}}
{{ include "loco-edge.fullname" .root }}-link-{{ .half }}
{{- end -}}
{{- end -}}

{{/* Without a user, a right, or a place to write. */}}
{{- define "loco-edge.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "loco-edge.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Over nodes and zones, but rather together than not at all. */}}
{{- define "loco-edge.spread" -}}
{{- $half := index .root.Values .half -}}
{{- if $half.topologySpreadConstraints -}}
{{- toYaml $half.topologySpreadConstraints -}}
{{- else -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "loco-edge.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* What the chart knows better than the file: variables come before it. */}}
{{- define "loco-edge.env" -}}
- name: LOCO_EDGE_LOG
  value: {{ (index .root.Values .half).logLevel | quote }}
- name: LOCO_EDGE__GATEWAY__DRAIN_TIMEOUT
  value: {{ printf "%vs" .root.Values.gateway.drainSeconds | quote }}
{{- if eq .half "revive" }}
- name: LOCO_EDGE__KUBERNETES__CONTROLLER
  value: {{ .root.Values.gatewayClass.controllerName | quote }}
- name: LOCO_EDGE__KUBERNETES__PORTS
  value: {{ $ports := list }}{{ range .root.Values.gateway.ports }}{{ $ports = append $ports (toString .port) }}{{ end }}{{ join "," $ports | quote }}
{{- with .root.Values.gateway.addresses }}
- name: LOCO_EDGE__KUBERNETES__ADDRESSES
  value: {{ join "," . | quote }}
{{- else }}
- name: LOCO_EDGE__KUBERNETES__SERVICE
  value: {{ printf "%s/%s-gateway" .root.Release.Namespace (include "loco-edge.fullname" .root) | quote }}
{{- end }}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_UID
  valueFrom: { fieldRef: { fieldPath: metadata.uid } }
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
{{- end }}
{{- with (index .root.Values .half).extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "loco-edge.probes" -}}
{{- $alive := eq .half "gateway" | ternary "/healthz" "/livez" -}}
startupProbe:
  httpGet: { path: {{ $alive }}, port: admin }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: { path: {{ $alive }}, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{- define "loco-edge.mounts" -}}
- name: config
  mountPath: /etc/loco-edge
  readOnly: true
- name: link
  mountPath: /run/loco-edge/link
  readOnly: true
{{- if .root.Values.extraCertificates.configMap }}
- name: certificates
  mountPath: /etc/ssl/certs
  readOnly: true
{{- end }}
{{- end -}}

{{- define "loco-edge.volumes" -}}
- name: config
  configMap:
    name: {{ include "loco-edge.fullname" .root }}
- name: link
  secret:
    secretName: {{ include "loco-edge.linkSecret" . }}
    defaultMode: 0440
{{- with .root.Values.extraCertificates }}
{{- if .configMap }}
- name: certificates
  configMap:
    name: {{ .configMap }}
    items:
      - { key: {{ .key }}, path: ca-certificates.crt }
{{- end }}
{{- end }}
{{- end -}}

{{- define "loco-edge.tlsArgs" -}}
- --tls-cert=/run/loco-edge/link/tls.crt
- --tls-key=/run/loco-edge/link/tls.key
- --tls-ca=/run/loco-edge/link/ca.crt
{{- end -}}

{{/* Where pods are put: the same words for both halves. */}}
{{- define "loco-edge.placement" -}}
{{- $half := index .root.Values .half -}}
topologySpreadConstraints:
  {{- include "loco-edge.spread" . | trim | nindent 2 }}
{{- with $half.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $half.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $half.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $half.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}
