{{/*
The tokens of the admin API: those there are already, or new ones. What is made here is kept for the rest of the
rendering, so that the Secret and the file agree.
*/}}
{{- define "loco-edge.tokens" -}}
{{- with .Values.admin -}}
{{- if .existingSecret -}}
adminSha256: {{ required "admin.adminSha256: printf %s TOKEN | sha256sum" .adminSha256 | quote }}
viewerSha256: {{ required "admin.viewerSha256: printf %s TOKEN | sha256sum" .viewerSha256 | quote }}
{{- else -}}
{{- if not (hasKey $.Values "madeTokens") -}}
{{- $kept := dict -}}
{{- with lookup "v1" "Secret" $.Release.Namespace (printf "%s-admin" (include "loco-edge.fullname" $)) -}}
{{- $kept = .data | default dict -}}
{{- end -}}
{{- $made := dict -}}
{{- range $role := list "admin" "viewer" -}}
{{- $token := hasKey $kept $role | ternary (index $kept $role | default "" | b64dec) (randAlphaNum 40) -}}
{{- $_ := set $made $role $token -}}
{{- $_ := set $made (printf "%sSha256" $role) (sha256sum $token) -}}
{{- end -}}
{{- $_ := set $.Values "madeTokens" $made -}}
{{- end -}}
{{- toYaml $.Values.madeTokens -}}
{{- end -}}
{{- end -}}
{{- end -}}
