{{/*
What checks.yaml refuses of names, images, ports and addresses: each of these templates prints one sentence a line, or nothing.
Kubernetes, the kubelet or oned would refuse the same later, and in words that do not name the value.
*/}}

{{/* Two objects of one name, or a Service that finds the pods of another. */}}
{{- define "opennebula.checks.names" -}}
{{- $fullname := include "opennebula.fullname" . -}}
{{- $origin := ternary (printf "fullnameOverride is %q" .Values.fullnameOverride) (printf "nameOverride is %q" .Values.nameOverride) (not (empty .Values.fullnameOverride)) -}}
{{- $database := ternary (include "opennebula.mariadb.name" .) "" .Values.mariadb.enabled -}}
{{- if .Values.mariadbOperator.enabled }}{{ $database = include "opennebula.mariadbOperator.name" . }}{{ end -}}
{{- if eq $fullname $database }}
{{ $origin }}: the front-end's objects would have the name {{ $fullname }}, which is that of the database's. Choose another name.
{{- end }}
{{- if and .Values.mariadb.enabled (eq (include "opennebula.name" .) (include "opennebula.mariadb.selectorLabels" . | fromYaml | dig "app.kubernetes.io/name" "")) }}
nameOverride is {{ .Values.nameOverride | quote }}: this is the value of the label app.kubernetes.io/name on the database's pods, so that its Service would lead to the front-end too. Choose another name.
{{- end }}
{{- end -}}

{{/* Registries and image names, which containerd refuses after the pods are made (InvalidImageName). */}}
{{- define "opennebula.checks.images" -}}
{{- $registries := dict "image.registry" .Values.image.registry "global.imageRegistry" ((.Values.global | default dict).imageRegistry) -}}
{{- range $name, $registry := $registries -}}
{{- if contains "://" ($registry | default "") }}
{{ $name }} is {{ $registry | quote }}: must be a host name, with a port or a path where there is one, and no scheme. Write {{ splitList "://" $registry | last | trimSuffix "/" | quote }}.
{{- else if not (regexMatch "^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]+)?(/[-a-z0-9._]+)*)?$" ($registry | default "")) }}
{{ $name }} is {{ $registry | quote }}: must be a host name, with a port or a path where there is one: registry.example.org:5000/mirror.
{{- end }}
{{- end }}
{{- if not (regexMatch "^([A-Za-z0-9][-A-Za-z0-9.]*(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$" .Values.image.repository) }}
image.repository is {{ .Values.image.repository | quote }}: must be the name of an image in small letters, without scheme, tag and digest. Those are image.registry, image.tag and image.digest.
{{- end }}
{{- $registry := (.Values.global | default dict).imageRegistry | default .Values.image.registry -}}
{{- $host := regexFind "^[^/]*[.:][^/]*/" .Values.image.repository | trimSuffix "/" -}}
{{- if and $host $registry (or (eq $registry "docker.io") (eq $host (splitList "/" $registry | first))) }}
image.repository is {{ .Values.image.repository | quote }} and the registry is {{ $registry | quote }}: the image would be {{ $registry }}/{{ .Values.image.repository }}. Write {{ $host | quote }} into image.registry and {{ trimPrefix (printf "%s/" $host) .Values.image.repository | quote }} into image.repository.
{{- end }}
{{- if not (regexMatch "^([A-Za-z0-9_][-A-Za-z0-9._]{0,127})?$" .Values.image.tag) }}
image.tag is {{ .Values.image.tag | quote }}: must be the tag alone: letters, digits, ".", "_" and "-". A digest belongs into image.digest.
{{- end }}
{{- end -}}

{{/* The ports of the pod's own processes, as YAML: port: what listens there. */}}
{{- define "opennebula.podPorts" -}}
2101: the hook manager
2102: the hook manager
2222: the ssh server
2474: OneFlow
2616: the web interface
2633: oned's XML-RPC API
5030: OneGate
8080: onepod's health endpoint
10780: OneKS
13013: OneForm
{{- end -}}

{{/* Every pair of ports of the pod, and every pair of node ports. */}}
{{- define "opennebula.checks.ports" -}}
{{- $config := .Values.config | default dict -}}
{{- $taken := dict -}}
{{- range $port, $owner := include "opennebula.podPorts" . | fromYaml -}}
{{- $_ := set $taken $port $owner -}}
{{- end -}}
{{- $chosen := list -}}
{{- $grpc := 2634 -}}
{{- range $name, $value := $config.oned | default dict -}}
{{- if eq (upper $name) "GRPC_PORT" }}{{ $grpc = int $value }}{{ end -}}
{{- end -}}
{{- $chosen = append $chosen (dict "port" $grpc "name" (ternary "the port of oned's gRPC API" "config.oned.GRPC_PORT" (eq $grpc 2634))) -}}
{{- $fireedge := $config.fireedge | default dict -}}
{{- $guacd := index $fireedge "guacd/port" | default (dig "guacd" "port" 4822 $fireedge) | int -}}
{{- $chosen = append $chosen (dict "port" $guacd "name" (ternary "the port of guacd" "config.fireedge.guacd.port" (eq $guacd 4822))) -}}
{{- $monitord := dict "port" (int .Values.monitord.port) "name" "monitord.port" -}}
{{- /* The one that was chosen is named as the wrong one. */ -}}
{{- $chosen = ternary (prepend $chosen $monitord) (append $chosen $monitord) (eq (int .Values.monitord.port) 4124) -}}
{{- range include "opennebula.tpl" (dict "root" . "value" .Values.extraContainers) | fromYamlArray -}}
{{- if kindIs "map" . -}}
{{- $container := .name -}}
{{- range .ports -}}
{{- if eq (.protocol | default "TCP") "TCP" -}}
{{- $chosen = append $chosen (dict "port" (int .containerPort) "name" (printf "a port of the container %s in extraContainers" $container)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $entry := $chosen -}}
{{- $key := toString $entry.port -}}
{{- $owner := get $taken $key -}}
{{- if $owner }}
{{ $entry.name }} is {{ $key }}, which is the port of {{ $owner }} in the same pod. Choose another one.
{{- end -}}
{{- $_ := set $taken $key ($entry.owner | default (trimPrefix "the port of " $entry.name)) -}}
{{- end -}}
{{- end -}}

{{/* Node ports of Services: outside of the cluster's range, or one number twice. */}}
{{- define "opennebula.checks.nodePorts" -}}
{{- $range := splitList "-" .Values.service.nodePortRange -}}
{{- $chosen := list -}}
{{- range $name := list "api" "fireedge" "oneflow" "onegate" "ssh" -}}
{{- $nodePort := (get $.Values.service $name | default dict).nodePort | default 0 | int -}}
{{- $there := or (has $name (list "api" "ssh")) (get $.Values $name | default dict).enabled -}}
{{- if and $nodePort $there (ne (include "opennebula.serviceType" (dict "root" $ "name" $name)) "ClusterIP") -}}
{{- $chosen = append $chosen (dict "name" (printf "service.%s.nodePort" $name) "port" $nodePort) -}}
{{- end -}}
{{- end -}}
{{- if eq (include "opennebula.serviceType" (dict "root" . "name" "monitord")) "NodePort" -}}
{{- $chosen = append $chosen (dict "name" "monitord.port" "port" (int .Values.monitord.port)) -}}
{{- end -}}
{{- $taken := dict -}}
{{- range $chosen -}}
{{- if or (lt .port (first $range | int)) (gt .port (last $range | int)) }}
{{ .name }} is {{ .port }}: must be a node port, from {{ $.Values.service.nodePortRange }} (service.nodePortRange, the API server's --service-node-port-range).
{{- end -}}
{{- $key := toString .port -}}
{{- $name := .name -}}
{{- with get $taken $key }}
{{ $name }} is {{ $key }}, which is the node port in {{ . }} too. Choose another one.
{{- end -}}
{{- $_ := set $taken $key .name -}}
{{- end -}}
{{- end -}}

{{/* Not empty when a text is not a network in CIDR notation. Call with the text. */}}
{{- define "opennebula.badNetwork" -}}
{{- $parts := splitList "/" (toString .) -}}
{{- $address := first $parts -}}
{{- $bits := last $parts -}}
{{- if or (ne (len $parts) 2) (not (regexMatch "^(0|[1-9][0-9]{0,2})$" $bits)) -}}
bad
{{- else if regexMatch "^(0|[1-9][0-9]{0,2})([.](0|[1-9][0-9]{0,2})){3}$" $address -}}
{{- if gt (int $bits) 32 }}bad{{ end -}}
{{- range splitList "." $address }}{{ if gt (int .) 255 }}bad{{ end }}{{ end -}}
{{- else -}}
{{- $groups := without (splitList ":" $address) "" | len -}}
{{- $short := contains "::" $address -}}
{{- if or (not (regexMatch "^[0-9a-fA-F:]+$" $address)) (not (contains ":" $address)) (gt (int $bits) 128) -}}
bad
{{- else if or (regexMatch "[0-9a-fA-F]{5}|:::|::.*::|^:[^:]|[^:]:$" $address) (and $short (gt $groups 7)) (and (not $short) (ne $groups 8)) -}}
bad
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Every network in the values: it must be one. */}}
{{- define "opennebula.checks.networks" -}}
{{- $found := list -}}
{{- range $name := list "hypervisors" "web" -}}
{{- range get $.Values.networkPolicy $name }}{{ $found = append $found (list (printf "networkPolicy.%s" $name) .) }}{{ end -}}
{{- end -}}
{{- range $name, $values := omit .Values.service "type" "nodePortRange" -}}
{{- range ($values | default dict).loadBalancerSourceRanges }}{{ $found = append $found (list (printf "service.%s.loadBalancerSourceRanges" $name) .) }}{{ end -}}
{{- end -}}
{{- $peers := list -}}
{{- range $name := list "clients" "metrics" -}}
{{- range get $.Values.networkPolicy $name }}{{ $peers = append $peers (list (printf "networkPolicy.%s" $name) .) }}{{ end -}}
{{- end -}}
{{- range .Values.networkPolicy.extraIngress -}}
{{- range .from }}{{ $peers = append $peers (list "networkPolicy.extraIngress" .) }}{{ end -}}
{{- end -}}
{{- range .Values.networkPolicy.extraEgress -}}
{{- range .to }}{{ $peers = append $peers (list "networkPolicy.extraEgress" .) }}{{ end -}}
{{- end -}}
{{- $database := .Values.mariadb | default dict -}}
{{- range dig "metrics" "from" list $database }}{{ $peers = append $peers (list "mariadb.metrics.from" .) }}{{ end -}}
{{- range dig "networkPolicy" "extraIngress" list $database -}}
{{- range .from }}{{ $peers = append $peers (list "mariadb.networkPolicy.extraIngress" .) }}{{ end -}}
{{- end -}}
{{- range $entry := $peers -}}
{{- with (last $entry).ipBlock -}}
{{- $found = append $found (list (first $entry) .cidr) -}}
{{- range .except }}{{ $found = append $found (list (first $entry) .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if has .Values.monitord.advertisedAddress (list "0.0.0.0" "::" "::1" "localhost") | or (regexMatch "^127[.]" .Values.monitord.advertisedAddress) }}
monitord.advertisedAddress is {{ .Values.monitord.advertisedAddress | quote }}: hypervisors would send their monitoring data to themselves. Set the address under which they reach the front-end.
{{- end -}}
{{- range $found -}}
{{- if include "opennebula.badNetwork" (last .) }}
{{ first . }} has {{ last . | toString | quote }}: must be a network in CIDR notation, such as 192.0.2.0/24 (up to /32) or 2001:db8::/32 (up to /128).
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Logins to a database that cannot work, and passwords that break a file or a tool later. */}}
{{- define "opennebula.checks.logins" -}}
{{- $host := .Values.externalDatabase.host | default "" | lower | trimSuffix "." -}}
{{- if has $host (list "localhost" "localhost.localdomain" "localhost6" "ip6-localhost") }}
externalDatabase.host is {{ .Values.externalDatabase.host | quote }}: OpenNebula's client takes this name for a socket on its own machine, and there is none in the pod. Name the server as the pod reaches it{{ if .Values.extraContainers }}; for a proxy in extraContainers that is 127.0.0.1{{ end }}.
{{- else if and (or (regexMatch "^127([.][0-9]+){3}$" $host) (regexMatch "^(0+:){7}0*1$|^::1$|^\\[?::1\\]?$|^::ffff:127[.]" $host) (has $host (list "0.0.0.0" "::"))) (not .Values.extraContainers) }}
externalDatabase.host is {{ .Values.externalDatabase.host | quote }}: that is the pod itself, where no database listens. Name the server as the pod reaches it; only a proxy in extraContainers is reached at this address.
{{- end -}}
{{- $names := dict "externalDatabase.database" .Values.externalDatabase.database -}}
{{- $users := dict -}}
{{- if .Values.mariadb.enabled }}{{ $_ := set $names "mariadb.auth.database" (dig "auth" "database" "" .Values.mariadb) }}{{ $_ := set $users "mariadb.auth.username" (dig "auth" "username" "" .Values.mariadb) }}{{ end -}}
{{- if .Values.mariadbOperator.enabled }}{{ $_ := set $names "mariadbOperator.database" .Values.mariadbOperator.database }}{{ $_ := set $users "mariadbOperator.username" .Values.mariadbOperator.username }}{{ end -}}
{{- range $name, $database := $names -}}
{{- if has (lower $database) (list "mysql" "sys" "information_schema" "performance_schema") }}
{{ $name }} is {{ $database | quote }}, which is a database of the server's own. Choose another name.
{{- end -}}
{{- end -}}
{{- range $name, $user := $users -}}
{{- if has (lower $user) (list "root" "mysql" "mariadb.sys" "healthcheck") }}
{{ $name }} is {{ $user | quote }}, which is a user of the server's own: OpenNebula needs one that has its database alone. Choose another name.
{{- end -}}
{{- end -}}
{{- if regexMatch "[\\s\\x00-\\x1f\\x7f]" .Values.opennebula.adminPassword }}
opennebula.adminPassword has a blank or a control character, with which commands and logins fail later. Choose one without; better put it into a Secret that opennebula.existingSecret names.
{{- end -}}
{{- if regexMatch "[\\s\\\\\\x00-\\x1f\\x7f]" .Values.externalDatabase.password }}
externalDatabase.password has a blank, a backslash or a control character: onedb cannot log in with a blank, and a backslash breaks oned.conf. Change it in the server and here.
{{- end -}}
{{- end -}}

{{/* What cannot be reached by the Ingress. */}}
{{- define "opennebula.checks.ingress" -}}
{{- with .Values.ingress -}}
{{- if .enabled -}}
{{- $everything := or (has .path (list "/" "/fireedge")) (and (eq .path "/*") (eq .pathType "ImplementationSpecific")) -}}
{{- if not $everything }}
ingress.path is {{ .path | quote }}: FireEdge answers below /fireedge alone and cannot be moved to another path, so everything would be 404. Set ingress.path to "/", and give OpenNebula a host name of its own.
{{- end }}
{{- if eq .pathType "Exact" }}
ingress.pathType is "Exact": the pages of the web interface are below {{ .path | quote }} and would be 404. Set it to "Prefix".
{{- end -}}
{{- $hosts := prepend (.extraHosts | default list) .hostname -}}
{{- if ne (len (uniq $hosts)) (len $hosts) }}
ingress.extraHosts has one name twice, or that of ingress.hostname. Leave one of them.
{{- end -}}
{{- if and .extraTls (not .tls.enabled) }}
ingress.extraTls has certificates, but ingress.tls.enabled is false. Set it to true.
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.route.fireedge -}}
{{- if .enabled -}}
{{- range .matches -}}
{{- $path := dig "path" "value" "/" . -}}
{{- if not (regexMatch "^/(fireedge(/.*)?)?$" $path) }}
route.fireedge.matches has the path {{ $path | quote }}: FireEdge answers below /fireedge alone and cannot be moved to another path. Leave the path out, and give OpenNebula a host name of its own.
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Secrets in clear text among the variables: a pod's description shows them to everybody who may read pods. */}}
{{- define "opennebula.checks.secretValues" -}}
{{- range include "opennebula.tpl" (dict "root" . "value" .Values.extraEnv) | fromYamlArray -}}
{{- if kindIs "map" . -}}
{{- if include "opennebula.soundsSecret" (dict "name" (toString .name) "value" .value) }}
extraEnv has a password, a key or a token in clear text, the value of {{ .name }}. Put it into a Secret, and write valueFrom: {secretKeyRef: {name: …, key: …}} instead of value.
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
