{{- define "paretogate.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "paretogate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Not the replicas' own labels, by which services find them. */}}
{{- define "paretogate.refinement" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-refinement
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "paretogate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "paretogate.selector" . }}
{{- end }}

{{- /* The address of the Redis that replicas share, as a variable: (dict "name" VARIABLE "root" $). */}}
{{- define "paretogate.redis" -}}
{{- $redis := .root.Values.redis }}
{{- if $redis.url }}
- {name: {{ .name }}, value: {{ $redis.url | quote }}}
{{- else if $redis.urlSecret.name }}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: {name: {{ $redis.urlSecret.name }}, key: {{ required "redis.urlSecret.key: which entry of the secret?" $redis.urlSecret.key }}}
{{- end }}
{{- end }}

{{- /* What an installation must not get wrong in silence. */}}
{{- define "paretogate.check" -}}
{{- $many := or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled }}
{{- if and $many (not .Values.redis.url) (not .Values.redis.urlSecret.name) }}
{{- fail "redis: more than one replica would each keep limits and budgets for itself; set redis.url or redis.urlSecret, or replicas to 1" }}
{{- end }}
{{- if and .Values.journal.shared (not .Values.redis.url) (not .Values.redis.urlSecret.name) }}
{{- fail "journal.shared: is kept in the Redis of redis.url or redis.urlSecret; set one" }}
{{- end }}
{{- if and .Values.journal.shared (dig "journal" "url" "" .Values.config) }}
{{- fail "journal.shared: config.journal.url names another place; remove one" }}
{{- end }}
{{- if and .Values.redis.url .Values.redis.urlSecret.name }}
{{- fail "redis: url and urlSecret are both set; name one" }}
{{- end }}
{{- if and (not .Values.keysSecret) (not (dig "auth" "allow_open" false .Values.config)) }}
{{- fail "keysSecret: the gateway does not start where strangers could come in; name a secret with keys.json, or set config.auth.allow_open to true where something else keeps them out" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "ingress.host: an ingress needs one" }}
{{- end }}
{{- if and .Values.monitoring.serviceMonitor .Values.keysSecret (not .Values.monitoring.tokenSecret.name) }}
{{- fail "monitoring.tokenSecret: /metrics is for admins; name a secret with an admin's API key" }}
{{- end }}
{{- end }}
