{{/*
Names, metadata, images, and the parts that every pod shares. Nothing here generates a value: two renders are equal.
What belongs to one concern is in a file of its own: _database.tpl, _environment.tpl, _service.tpl, _secrets.tpl.
*/}}

{{/* A name of at most a number of letters; one that is cut gets a checksum, so that two that begin alike stay two. Call with a dict: name, most. */}}
{{- define "opennebula.shortened" -}}
{{- if le (len .name) (int .most) -}}
{{- .name | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" (trunc (int (sub .most 9)) .name | trimSuffix "-") (sha256sum .name | trunc 8) -}}
{{- end -}}
{{- end -}}

{{/*
The alias under which another chart has this one as a dependency; empty without. Helm puts it in the place of the chart's name. Two
aliases in one release must not share an object, so every name has the alias in it.
*/}}
{{- define "opennebula.alias" -}}
{{- if ne .Chart.Name "opennebula" }}{{ .Chart.Name }}{{ end -}}
{{- end -}}

{{/* Before the name of what belongs to the database: the release, and the alias where there is one. */}}
{{- define "opennebula.releaseName" -}}
{{- $alias := include "opennebula.alias" . -}}
{{- ternary (printf "%s-%s" .Release.Name $alias) .Release.Name (ne $alias "") -}}
{{- end -}}

{{/* At most 43 letters: the longest name made from it, …-monitord-node-30124, must fit into 63. */}}
{{- define "opennebula.fullname" -}}
{{- $name := include "opennebula.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if and (contains $name .Release.Name) (not (include "opennebula.alias" .)) -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- include "opennebula.shortened" (dict "name" $full "most" 43) -}}
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

{{/* The image that this chart was released with, X.Y.Z-rN@sha256:…, where image.tag and image.digest do not name another and
the repository is ours, under whatever mirror. Empty before the first release. */}}
{{- define "opennebula.releasedImage" -}}
{{- if not (or .Values.image.tag .Values.image.digest) -}}
{{- if hasSuffix "pablodelarco/opennebula" .Values.image.repository -}}
{{- with .Chart.Annotations }}{{ index . "opennebula-kubernetes/image" }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "opennebula.image" -}}
{{- $registry := (.Values.global | default dict).imageRegistry | default .Values.image.registry -}}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (not (empty $registry)) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default (include "opennebula.releasedImage" .) | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Not empty where something is mounted below a volume that onepod fills. */}}
{{- define "opennebula.innerMounts" -}}
{{- range include "opennebula.tpl" (dict "root" . "value" (.Values.extraVolumeMounts | default list)) | fromYamlArray -}}
{{- if regexMatch "^/+(var/+lib|etc)/+one/+[^/]" (toString .mountPath) }}yes{{ end -}}
{{- end -}}
{{- end -}}

{{/* Which OpenNebula the image is, for people. */}}
{{- define "opennebula.version" -}}
{{- if .Values.image.digest -}}
OpenNebula of the image {{ include "opennebula.image" . }}
{{- else -}}
OpenNebula {{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* A quantity of bytes in MiB, rounded up. Call with the quantity. */}}
{{- define "opennebula.mebibytes" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $text | float64 -}}
{{- $factors := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $factor := get $factors (regexFind "[A-Za-z]*$" $text) | default 1 | float64 -}}
{{- divf (mulf $number $factor) 1048576 | ceil | int64 -}}
{{- end -}}

{{/* The requests and limits of the front-end. On the node's disk an upload counts: without a request the node would evict the pod for it. */}}
{{- define "opennebula.resources" -}}
{{- $resources := deepCopy (.Values.resources | default dict) -}}
{{- $uploads := and .Values.fireedge.enabled (not .Values.uploads.volume) -}}
{{- range $kind := list "requests" "limits" -}}
{{- $amounts := get $resources $kind | default dict -}}
{{- if and $uploads (hasKey $amounts "ephemeral-storage") -}}
{{- $all := add (include "opennebula.mebibytes" (get $amounts "ephemeral-storage") | int64) (include "opennebula.mebibytes" $.Values.uploads.maxSize | int64) -}}
{{- $_ := set $amounts "ephemeral-storage" (printf "%dMi" $all) -}}
{{- end -}}
{{- end -}}
{{- with $resources }}{{ toYaml . }}{{ end -}}
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
