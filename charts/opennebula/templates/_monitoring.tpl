{{/* What the objects for Prometheus and Grafana share. */}}

{{/* The name of an object that may lie in another namespace, beside those of other releases. Call with a dict: root, namespace. */}}
{{- define "opennebula.monitoringName" -}}
{{- $fullname := include "opennebula.fullname" .root -}}
{{- if has .namespace (list "" .root.Release.Namespace) -}}
{{- $fullname -}}
{{- else -}}
{{- printf "%s-%s" .root.Release.Namespace $fullname -}}
{{- end -}}
{{- end -}}

{{/* One endpoint. Call with a dict: port, values. */}}
{{- define "opennebula.metricsEndpoint" -}}
port: {{ .port }}
path: /metrics
interval: {{ .values.interval }}
{{- with .values.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  # The operator calls a label after the Service, and onepod one after oned and the others: without this theirs would be
  # renamed to exported_service, and no alert and no graph would find them.
  - action: labeldrop
    regex: service
  {{- with .values.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The names of the volumes of the release, with | between them; of mariadb-operator's as patterns. */}}
{{- define "opennebula.claims" -}}
{{- $claims := list -}}
{{- if .Values.persistence.enabled -}}
{{- $claims = append $claims (include "opennebula.claimName" .) -}}
{{- end -}}
{{- if .Values.mariadb.enabled -}}
{{- $claims = append $claims (.Values.mariadb.persistence.existingClaim | default (printf "%s-data" (include "opennebula.mariadb.name" .))) -}}
{{- end -}}
{{- if .Values.mariadbOperator.enabled -}}
{{- $claims = append $claims (printf "(storage|galera)-%s-[0-9]+" (include "opennebula.mariadbOperator.name" .)) -}}
{{- end -}}
{{- join "|" $claims -}}
{{- end -}}
