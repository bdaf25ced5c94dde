{{/*
Names, metadata, images, and the parts that every pod shares. Nothing here generates a value: two renders are equal.
What belongs to one concern is in a file of its own: _database.tpl, _environment.tpl, _service.tpl, _secrets.tpl.
*/}}

{{/* At most 43 letters: the longest name made from it, …-monitord-node-30124, must fit into 63. */}}
{{- define "opennebula.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 43 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "opennebula.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 43 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 43 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "opennebula.name" -}}
{{- .Values.nameOverride | default .Chart.Name -}}
{{- end -}}

{{/* Labels of the front-end's pods by which others find them. They never change: a StatefulSet's selector cannot. */}}
{{- define "opennebula.selectorLabels" -}}
app.kubernetes.io/name: {{ include "opennebula.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: front-end
{{- end -}}

{{/* Labels of a pod that serves nobody. Call with a dict: root, component. */}}
{{- define "opennebula.podLabels" -}}
{{- $own := dict "app.kubernetes.io/name" (include "opennebula.name" .root) "app.kubernetes.io/instance" .root.Release.Name "app.kubernetes.io/component" .component -}}
{{- toYaml (merge $own (.root.Values.commonLabels | default dict)) -}}
{{- end -}}

{{/* Call with a dict: root, component. */}}
{{- define "opennebula.labels" -}}
{{- with .root -}}
app.kubernetes.io/name: {{ include "opennebula.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ $.component }}
app.kubernetes.io/part-of: opennebula
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}
{{- end -}}

{{/*
The metadata of an object. Call with a dict: root, name, component; and where there are any: namespace, labels, annotations.
The standard labels win over those of the values.
*/}}
{{- define "opennebula.metadata" -}}
{{- $labels := include "opennebula.labels" . | fromYaml -}}
{{- $labels = merge $labels (.labels | default dict) (.root.Values.commonLabels | default dict) -}}
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
{{- define "opennebula.tpl" -}}
{{- tpl (ternary .value (toYaml .value) (kindIs "string" .value)) .root -}}
{{- end -}}

{{- define "opennebula.image" -}}
{{- $registry := (.Values.global | default dict).imageRegistry | default .Values.image.registry -}}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (not (empty $registry)) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Not empty where something is mounted below a volume that onepod fills. */}}
{{- define "opennebula.innerMounts" -}}
{{- range include "opennebula.tpl" (dict "root" . "value" (.Values.extraVolumeMounts | default list)) | fromYamlArray -}}
{{- if regexMatch "^/+(var/+lib|etc)/+one/+[^/]" (toString .mountPath) }}yes{{ end -}}
{{- end -}}
{{- end -}}

{{/* What a pod is allowed, where it may run, and what its images need: the same for the front-end, the Job and the test. */}}
{{- define "opennebula.podBasics" -}}
enableServiceLinks: false
{{- with (.Values.global | default dict).imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ ternary . (get (ternary dict . (kindIs "string" .)) "name") (kindIs "string" .) | quote }}
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
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with .Values.schedulerName }}
schedulerName: {{ . | quote }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "opennebula.podSecurityContext" . | nindent 2 }}
{{- end -}}

{{/* 9869 is oneadmin, as in the vendor's packages. OpenShift gives a namespace a user and a group of its own. */}}
{{- define "opennebula.podSecurityContext" -}}
{{- $own := dict "runAsNonRoot" true "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if not ((.Values.global | default dict).openshift | default dict).enabled -}}
{{- $own = merge $own (dict "runAsUser" 9869 "runAsGroup" 9869 "fsGroup" 9869) -}}
{{- end -}}
{{- include "opennebula.overridden" (dict "own" $own "values" .Values.podSecurityContext) -}}
{{- end -}}

{{- define "opennebula.containerSecurityContext" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- include "opennebula.overridden" (dict "own" $own "values" .Values.securityContext) -}}
{{- end -}}

{{/* A map with values over it; null takes a field away. Call with a dict: own, values. */}}
{{- define "opennebula.overridden" -}}
{{- $all := mergeOverwrite (deepCopy .own) (deepCopy (.values | default dict)) -}}
{{- range $name, $value := .values -}}
{{- if kindIs "invalid" $value }}{{ $_ := unset $all $name }}{{ end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- define "opennebula.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "opennebula.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The claim with /var/lib/one. */}}
{{- define "opennebula.claimName" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-data" (include "opennebula.fullname" .)) -}}
{{- end -}}

{{/* The affinity of the front-end's pod. */}}
{{- define "opennebula.affinity" -}}
{{- if .Values.affinity -}}
{{- toYaml .Values.affinity -}}
{{- else if .Values.podAntiAffinityPreset -}}
{{- $others := dict "topologyKey" "kubernetes.io/hostname" "namespaceSelector" (dict) "labelSelector" (dict "matchLabels" (dict "app.kubernetes.io/name" (include "opennebula.name" .) "app.kubernetes.io/component" "front-end")) -}}
podAntiAffinity:
  {{- if eq .Values.podAntiAffinityPreset "hard" }}
  requiredDuringSchedulingIgnoredDuringExecution:
    - {{- toYaml $others | nindent 6 }}
  {{- else }}
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        {{- toYaml $others | nindent 8 }}
  {{- end }}
{{- end -}}
{{- end -}}
