{{/* Labels of every object. */}}
{{- define "sluice.labels" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/part-of: sluice
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The one image. */}}
{{- define "sluice.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Size of the volume of observed flows, MiB: files that SQLite cannot read are kept for two days beside the others. */}}
{{- define "sluice.flowsMebibytes" -}}
{{ add (mul 2 (int64 .Values.flows.kept.megabytes)) 256 }}
{{- end }}
