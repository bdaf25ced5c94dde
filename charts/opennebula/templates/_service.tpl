{{/* Services, their types and names. */}}

{{/* The type of one Service; monitord and ssh are for hypervisors and do not follow service.type. Call with a dict: root, name. */}}
{{- define "opennebula.serviceType" -}}
{{- $common := ternary "ClusterIP" (.root.Values.service.type | default "ClusterIP") (has .name (list "monitord" "ssh")) -}}
{{- (get .root.Values.service .name | default dict).type | default $common -}}
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

{{/* How the front-end learns the address that hypervisors send to: set, node, loadBalancer, or connection. */}}
{{- define "opennebula.monitord.addressFrom" -}}
{{- $type := include "opennebula.serviceType" (dict "root" . "name" "monitord") -}}
{{- if .Values.monitord.advertisedAddress -}}
set
{{- else if eq $type "NodePort" -}}
node
{{- else if eq $type "LoadBalancer" -}}
loadBalancer
{{- else -}}
connection
{{- end -}}
{{- end -}}

{{/* One Service. Call with a dict: root, name (in the values), fullname, ports. */}}
{{- define "opennebula.service" -}}
{{- $values := get .root.Values.service .name | default dict -}}
{{- $type := include "opennebula.serviceType" . -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "opennebula.metadata" (dict "root" .root "name" .fullname "component" .name "labels" $values.labels "annotations" $values.annotations) | nindent 2 }}
spec:
  type: {{ $type }}
  {{- with $values.clusterIP }}
  clusterIP: {{ . }}
  {{- end }}
  {{- with $values.ipFamilyPolicy }}
  ipFamilyPolicy: {{ . }}
  {{- end }}
  {{- with $values.ipFamilies }}
  ipFamilies:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if ne $type "ClusterIP" }}
  {{- with $values.externalTrafficPolicy }}
  externalTrafficPolicy: {{ . }}
  {{- end }}
  {{- end }}
  {{- if eq $type "LoadBalancer" }}
  {{- with $values.loadBalancerClass }}
  loadBalancerClass: {{ . }}
  {{- end }}
  {{- with $values.loadBalancerIP }}
  loadBalancerIP: {{ . }}
  {{- end }}
  {{- with $values.loadBalancerSourceRanges }}
  loadBalancerSourceRanges:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  selector:
    {{- include "opennebula.selectorLabels" .root | nindent 4 }}
  ports:
    {{- range .ports }}
    - {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}

{{/* One port of such a Service, as a list. Call with a dict: root, name, port. */}}
{{- define "opennebula.servicePort" -}}
{{- $port := dict "name" .name "port" .port "targetPort" .name "protocol" "TCP" -}}
{{- if ne (include "opennebula.serviceType" .) "ClusterIP" -}}
{{- with (get .root.Values.service .name | default dict).nodePort }}{{ $_ := set $port "nodePort" (int .) }}{{ end -}}
{{- end -}}
{{- toYaml (list $port) -}}
{{- end -}}
