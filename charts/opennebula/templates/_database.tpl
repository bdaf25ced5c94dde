{{/* Which database the front-end has, and with which Secret it logs in. */}}

{{/* The same name as mariadb.name in the dependency, and the same labels as mariadb.selectorLabels. */}}
{{- define "opennebula.mariadb.name" -}}
{{- printf "%s-mariadb" (include "opennebula.shortened" (dict "name" (include "opennebula.releaseName" .) "most" 42)) -}}
{{- end -}}

{{- define "opennebula.mariadb.selectorLabels" -}}
{{- $alias := include "opennebula.alias" . -}}
app.kubernetes.io/name: {{ ternary (printf "%s-mariadb" (trunc 55 $alias)) "mariadb" (ne $alias "") | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The MariaDB resource of mariadb-operator. */}}
{{- define "opennebula.mariadbOperator.name" -}}
{{- printf "%s-db" (include "opennebula.shortened" (dict "name" (include "opennebula.releaseName" .) "most" 42)) -}}
{{- end -}}

{{- define "opennebula.externalDatabase.madeSecret" -}}
{{- printf "%s-external-database" (include "opennebula.fullname" .) -}}
{{- end -}}

{{/* As YAML: host, port, name, user, and secret and key of the password. */}}
{{- define "opennebula.database" -}}
{{- if .Values.mariadb.enabled -}}
host: {{ include "opennebula.mariadb.name" . | quote }}
port: 3306
name: {{ .Values.mariadb.auth.database | quote }}
user: {{ .Values.mariadb.auth.username | quote }}
secret: {{ .Values.mariadb.auth.existingSecret | default (include "opennebula.mariadb.name" .) | quote }}
key: {{ .Values.mariadb.auth.existingSecretKeys.password | quote }}
{{- else if .Values.mariadbOperator.enabled -}}
{{- with .Values.mariadbOperator -}}
{{- $name := include "opennebula.mariadbOperator.name" $ -}}
{{/* Several servers have a Service that leads to the one that is written to. */ -}}
host: {{ ternary (printf "%s-primary" $name) $name (gt (int .replicas) 1) | quote }}
port: 3306
name: {{ .database | quote }}
user: {{ .username | quote }}
secret: {{ .existingSecret | default $name | quote }}
key: {{ .existingSecretKeys.password | quote }}
{{- end -}}
{{- else -}}
{{- with .Values.externalDatabase -}}
host: {{ .host | quote }}
port: {{ int .port }}
name: {{ .database | quote }}
user: {{ .username | quote }}
secret: {{ .existingSecret | default (include "opennebula.externalDatabase.madeSecret" $) | quote }}
key: {{ ternary .existingSecretKeys.password "password" (ne .existingSecret "") | quote }}
{{- end -}}
{{- end -}}
{{- end -}}
