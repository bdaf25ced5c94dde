{{/*
What null means in the values: the default. Helm removes a value that is null, whether on purpose or because everything below
its name is a comment ("ssh:" and nothing else), and a template that reads a member of a removed group fails. Every template
begins with this. The exceptions are in files/defaults.json, which is generated from
values.yaml, under "cleared": lists, maps and optional keys of a Secret, which null empties. @uses nothing
*/}}
{{- define "mariadb.defaults" -}}
{{- $file := .Files.Get "files/defaults.json" | fromJson -}}
{{- include "mariadb.fill" (dict "values" .Values "defaults" $file.values "cleared" $file.cleared "path" "") -}}
{{- end -}}

{{/* Call with a dict: values, defaults, cleared, path (of the group, with a dot at its end). */}}
{{- define "mariadb.fill" -}}
{{- range $name, $default := .defaults -}}
{{- $path := printf "%s%s" $.path $name -}}
{{- $value := index $.values $name -}}
{{- if and (kindIs "invalid" $value) (not (kindIs "invalid" $default)) -}}
{{- $empty := ternary dict (ternary list "" (kindIs "slice" $default)) (kindIs "map" $default) -}}
{{- $_ := set $.values $name (ternary $empty (deepCopy $default) (has $path $.cleared)) -}}
{{- else if and (kindIs "map" $default) (kindIs "map" $value) (not (has $path $.cleared)) -}}
{{- include "mariadb.fill" (dict "values" $value "defaults" $default "cleared" $.cleared "path" (printf "%s." $path)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
