{{/*
Names, labels, the image, and the parts that every pod shares. Nothing here generates a value: two renders are equal.
*/}}

{{/* At most 43 letters: the longest name made from it, …-monitord-node-30124, must fit into 63. */}}
{{- define "opennebula.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 43 | trimSuffix "-" -}}
{{- else -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 43 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 43 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "opennebula.selectorLabels" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: front-end
{{- end -}}

{{/* Call with a dict: root, component. */}}
{{- define "opennebula.labels" -}}
{{- with .root -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ $.component }}
app.kubernetes.io/part-of: opennebula
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}
{{- end -}}

{{- define "opennebula.image" -}}
{{- $registry := (.Values.global | default dict).imageRegistry | default .Values.image.registry -}}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (ne $registry "") -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Pull secrets (names, or objects with a name) and where a pod may run: the same for the front-end, the Job and the test. */}}
{{- define "opennebula.podPlacement" -}}
{{- with (.Values.global | default dict).imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ ternary . (get (ternary dict . (kindIs "string" .)) "name") (kindIs "string" .) }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* 9869 is oneadmin, as in the vendor's packages. */}}
{{- define "opennebula.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 9869
runAsGroup: 9869
fsGroup: 9869
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "opennebula.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The Secret with oneadmin's password and the keys. */}}
{{- define "opennebula.secretName" -}}
{{- .Values.opennebula.existingSecret | default (include "opennebula.fullname" .) -}}
{{- end -}}

{{/* The same name as mariadb.name in the dependency. */}}
{{- define "opennebula.mariadb.name" -}}
{{- printf "%s-mariadb" (.Release.Name | trunc 42 | trimSuffix "-") -}}
{{- end -}}

{{/* The Secret with the database user's password, and its key. */}}
{{- define "opennebula.databaseSecretName" -}}
{{- if .Values.mariadb.enabled -}}
{{- .Values.mariadb.auth.existingSecret | default (include "opennebula.mariadb.name" .) -}}
{{- else -}}
{{- .Values.externalDatabase.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "opennebula.databaseSecretKey" -}}
{{- if .Values.mariadb.enabled -}}
{{- .Values.mariadb.auth.existingSecretKeys.password -}}
{{- else -}}
{{- .Values.externalDatabase.existingSecretKeys.password -}}
{{- end -}}
{{- end -}}

{{/* Names of the Secrets that the Job makes, one to a line; empty when all come from the user. */}}
{{- define "opennebula.madeSecrets" -}}
{{- if not .Values.opennebula.existingSecret }}
{{ include "opennebula.secretName" . }}
{{- end }}
{{- if and .Values.mariadb.enabled (not .Values.mariadb.auth.existingSecret) }}
{{ include "opennebula.mariadb.name" . }}
{{- end }}
{{- end -}}

{{/* What the front-end must not start, separated by commas. */}}
{{- define "opennebula.disabledServices" -}}
{{- $off := list -}}
{{- if not .Values.oneflow.enabled }}{{ $off = append $off "oneflow" }}{{ end -}}
{{- if not .Values.onegate.enabled }}{{ $off = append $off "onegate" }}{{ end -}}
{{- if not .Values.fireedge.enabled }}{{ $off = concat $off (list "fireedge" "guacd") }}{{ end -}}
{{- join "," $off -}}
{{- end -}}

{{/* The environment of the front-end: everything but secrets. */}}
{{- define "opennebula.environment" -}}
DB_BACKEND: mysql
{{- if .Values.mariadb.enabled }}
DB_HOST: {{ include "opennebula.mariadb.name" . | quote }}
DB_PORT: "3306"
DB_NAME: {{ .Values.mariadb.auth.database | quote }}
DB_USER: {{ .Values.mariadb.auth.username | quote }}
{{- else }}
DB_HOST: {{ .Values.externalDatabase.host | quote }}
DB_PORT: {{ .Values.externalDatabase.port | int | quote }}
DB_NAME: {{ .Values.externalDatabase.database | quote }}
DB_USER: {{ .Values.externalDatabase.username | quote }}
{{- end }}
ONEPOD_LOG_FORMAT: {{ .Values.log.format | quote }}
{{- with include "opennebula.disabledServices" . }}
ONEPOD_DISABLE: {{ . | quote }}
{{- end }}
{{- with .Values.opennebula.hostname }}
OPENNEBULA_HOSTNAME: {{ . | quote }}
{{- end }}
{{- with .Values.monitord.advertisedAddress }}
OPENNEBULA_MONITOR_ADDRESS: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The file with the overrides of OpenNebula's configuration; empty when there are none. */}}
{{- define "opennebula.configFile" -}}
{{- $file := dict -}}
{{- with .Values.config.oned }}{{ $_ := set $file "oned" . }}{{ end -}}
{{- $monitord := deepCopy .Values.config.monitord -}}
{{- if ne (int .Values.monitord.port) 4124 }}{{ $_ := set $monitord "NETWORK/PORT" (int .Values.monitord.port) }}{{ end -}}
{{- with $monitord }}{{ $_ := set $file "monitord" . }}{{ end -}}
{{- range $name, $values := omit .Values.config "oned" "monitord" -}}
{{- with $values }}{{ $_ := set $file $name . }}{{ end -}}
{{- end -}}
{{- with $file }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* The type of one Service. Call with a dict: root, name. */}}
{{- define "opennebula.serviceType" -}}
{{- (get .root.Values.service .name).type | default .root.Values.service.type -}}
{{- end -}}

{{- define "opennebula.monitord.serviceName" -}}
{{- $name := printf "%s-monitord" (include "opennebula.fullname" .) -}}
{{- if eq (include "opennebula.serviceType" (dict "root" . "name" "monitord")) "NodePort" -}}
{{- printf "%s-node-%d" $name (int .Values.monitord.port) -}}
{{- else if ne (int .Values.monitord.port) 4124 -}}
{{- printf "%s-%d" $name (int .Values.monitord.port) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* One Service. Call with a dict: root, name, fullname, ports. */}}
{{- define "opennebula.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .fullname }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "opennebula.labels" (dict "root" .root "component" .name) | nindent 4 }}
  {{- with (get .root.Values.service .name).annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ include "opennebula.serviceType" . }}
  selector:
    {{- include "opennebula.selectorLabels" .root | nindent 4 }}
  ports:
    {{- toYaml .ports | nindent 4 }}
{{- end -}}
