{{/*
The alias of the opennebula chart that has this one as its dependency, where it has one: two of them in one release are two
databases. A chart does not know the chart above it; the path of its templates does (…/ALIAS/charts/mariadb/templates).
*/}}
{{- define "mariadb.alias" -}}
{{- $folders := splitList "/" .Template.BasePath -}}
{{- if ge (len $folders) 4 -}}
{{- $above := index $folders (sub (len $folders) 4 | int) -}}
{{- if ne $above "opennebula" }}{{ $above }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The name of every object. The opennebula chart computes the same one (opennebula.mariadb.name). */}}
{{- define "mariadb.name" -}}
{{- $alias := include "mariadb.alias" . -}}
{{- $release := ternary (printf "%s-%s" .Release.Name $alias) .Release.Name (ne $alias "") -}}
{{- if gt (len $release) 42 -}}
{{- $release = printf "%s-%s" (trunc 33 $release | trimSuffix "-") (sha256sum $release | trunc 8) -}}
{{- end -}}
{{- printf "%s-mariadb" ($release | trimSuffix "-") -}}
{{- end -}}

{{/* They never change: a StatefulSet's selector cannot. The opennebula chart has the same (opennebula.mariadb.selectorLabels). */}}
{{- define "mariadb.selectorLabels" -}}
{{- $alias := include "mariadb.alias" . -}}
app.kubernetes.io/name: {{ ternary (printf "%s-mariadb" (trunc 55 $alias)) "mariadb" (ne $alias "") | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "mariadb.labels" -}}
{{ include "mariadb.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: database
app.kubernetes.io/part-of: opennebula
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The metadata of an object. Call with a dict: root, name; and where there are any: namespace, labels, annotations. */}}
{{- define "mariadb.metadata" -}}
{{- $labels := merge (include "mariadb.labels" .root | fromYaml) (.labels | default dict) (.root.Values.commonLabels | default dict) -}}
{{- $annotations := merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) -}}
name: {{ .name | quote }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Text or YAML from the values, through the template engine. Call with a dict: root, value. */}}
{{- define "mariadb.tpl" -}}
{{- tpl (ternary .value (toYaml .value) (kindIs "string" .value)) .root -}}
{{- end -}}

{{/* Call with a dict: root, image. */}}
{{- define "mariadb.image" -}}
{{- $registry := (.root.Values.global | default dict).imageRegistry | default .image.registry -}}
{{- $name := ternary (printf "%s/%s" $registry .image.repository) .image.repository (not (empty $registry)) -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name .image.tag -}}
{{- end -}}
{{- end -}}

{{/* global.imagePullSecrets: names, or objects with a name. */}}
{{- define "mariadb.imagePullSecrets" -}}
{{- with (.Values.global | default dict).imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ ternary . (get (ternary dict . (kindIs "string" .)) "name") (kindIs "string" .) | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* 999 is the mysql user of the official image. OpenShift gives a namespace a user and a group of its own. */}}
{{- define "mariadb.podSecurityContext" -}}
{{- $own := dict "runAsNonRoot" true "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if not ((.Values.global | default dict).openshift | default dict).enabled -}}
{{- $own = merge $own (dict "runAsUser" 999 "runAsGroup" 999 "fsGroup" 999) -}}
{{- end -}}
{{- include "mariadb.overridden" (dict "own" $own "values" .Values.podSecurityContext) -}}
{{- end -}}

{{- define "mariadb.containerSecurityContext" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- include "mariadb.overridden" (dict "own" $own "values" .Values.securityContext) -}}
{{- end -}}

{{/* A map with values over it; null takes a field away. Call with a dict: own, values. */}}
{{- define "mariadb.overridden" -}}
{{- $all := mergeOverwrite (deepCopy .own) (deepCopy (.values | default dict)) -}}
{{- range $name, $value := .values -}}
{{- if kindIs "invalid" $value }}{{ $_ := unset $all $name }}{{ end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* As YAML: enabled, size, storageClass; the names of the chart 0.2.6 win. */}}
{{- define "mariadb.persistence" -}}
{{- $old := .Values.primary.persistence -}}
enabled: {{ ternary .Values.persistence.enabled $old.enabled (kindIs "invalid" $old.enabled) }}
size: {{ $old.size | default .Values.persistence.size }}
storageClass: {{ $old.storageClass | default .Values.persistence.storageClass | default (.Values.global | default dict).storageClass | quote }}
{{- end -}}

{{- define "mariadb.claimName" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-data" (include "mariadb.name" .)) -}}
{{- end -}}

{{- define "mariadb.secretName" -}}
{{- .Values.auth.existingSecret | default (include "mariadb.name" .) -}}
{{- end -}}
