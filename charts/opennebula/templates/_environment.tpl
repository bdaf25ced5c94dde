{{/* What the front-end is told: environment, and the file of configuration values. Everything but secrets. */}}

{{/* What the front-end must not start, separated by commas. */}}
{{- define "opennebula.disabledServices" -}}
{{- $off := list -}}
{{- if not .Values.oneflow.enabled }}{{ $off = append $off "oneflow" }}{{ end -}}
{{- if not .Values.onegate.enabled }}{{ $off = append $off "onegate" }}{{ end -}}
{{- if not .Values.fireedge.enabled }}{{ $off = concat $off (list "fireedge" "guacd") }}{{ end -}}
{{- join "," $off -}}
{{- end -}}

{{- define "opennebula.environment" -}}
{{- $database := include "opennebula.database" . | fromYaml -}}
DB_BACKEND: mysql
DB_HOST: {{ $database.host | quote }}
DB_PORT: {{ $database.port | int | quote }}
DB_NAME: {{ $database.name | quote }}
DB_USER: {{ $database.user | quote }}
ONEPOD_LOG_FORMAT: {{ .Values.log.format | quote }}
ONEPOD_STOP_TIMEOUT: {{ sub (int .Values.terminationGracePeriodSeconds) 5 | quote }}
{{- with include "opennebula.disabledServices" . }}
ONEPOD_DISABLE: {{ . | quote }}
{{- end }}
{{- if .Values.oneks.enabled }}
ONEPOD_ENABLE: oneks
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
{{- $detail := ternary (dict "LOG/DEBUG_LEVEL" 5) (dict) .Values.debug -}}
{{- $monitord := merge (deepCopy (.Values.config.monitord | default dict)) $detail -}}
{{- if ne (int .Values.monitord.port) 4124 }}{{ $_ := set $monitord "NETWORK/PORT" (int .Values.monitord.port) }}{{ end -}}
{{- with merge (deepCopy (.Values.config.oned | default dict)) $detail }}{{ $_ := set $file "oned" . }}{{ end -}}
{{- with $monitord }}{{ $_ := set $file "monitord" . }}{{ end -}}
{{- with merge (deepCopy (.Values.config.rank | default dict)) $detail }}{{ $_ := set $file "rank" . }}{{ end -}}
{{- $sunstone := deepCopy (.Values.config.sunstone | default dict) -}}
{{- $mebibytes := include "opennebula.mebibytes" .Values.uploads.maxSize | int64 -}}
{{- if ne $mebibytes 10240 }}{{ $_ := set $sunstone "max_upload_file_size" (mul $mebibytes 1048576) }}{{ end -}}
{{- with $sunstone }}{{ $_ := set $file "sunstone" . }}{{ end -}}
{{- range $name, $values := omit .Values.config "oned" "monitord" "rank" "sunstone" -}}
{{- with $values }}{{ $_ := set $file $name . }}{{ end -}}
{{- end -}}
{{- with $file }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* Not empty when that file has a secret. */}}
{{- define "opennebula.configIsSecret" -}}
{{- include "opennebula.soundsSecret" (dict "name" "" "value" (include "opennebula.configFile" . | fromYaml)) -}}
{{- end -}}
