{{/* Which Secrets there are, who makes them, and how they reach the pods as files. */}}

{{/* The Secret with oneadmin's password and the keys. */}}
{{- define "opennebula.secretName" -}}
{{- .Values.opennebula.existingSecret | default (include "opennebula.fullname" .) -}}
{{- end -}}

{{/* The Secret with oneadmin's password alone, where it is a value. */}}
{{- define "opennebula.adminSecretName" -}}
{{- printf "%s-admin" (include "opennebula.fullname" .) -}}
{{- end -}}

{{/* As YAML: secret and key of oneadmin's password. */}}
{{- define "opennebula.password" -}}
{{- if .Values.opennebula.adminPassword -}}
secret: {{ include "opennebula.adminSecretName" . | quote }}
key: oneadmin-password
{{- else -}}
secret: {{ include "opennebula.secretName" . | quote }}
key: {{ .Values.opennebula.existingSecretKeys.password | quote }}
{{- end -}}
{{- end -}}

{{/*
What the Job makes, as YAML: Secret: {key: kind}. Empty when every Secret comes from the user.
*/}}
{{- define "opennebula.made" -}}
{{- $made := dict -}}
{{- if not .Values.opennebula.existingSecret -}}
{{- $keys := .Values.opennebula.existingSecretKeys -}}
{{- $own := dict ($keys.oneKey | default "") "hex64" ($keys.fireedgeKey | default "") "alphanumeric32" ($keys.serveradminSecret | default "") "hex64" -}}
{{- if not .Values.opennebula.adminPassword }}{{ $_ := set $own ($keys.password | default "") "password" }}{{ end -}}
{{- if not .Values.ssh.existingSecret }}{{ $_ := set $own ($keys.sshPrivateKey | default "") "ed25519" }}{{ end -}}
{{- $_ := set $made (include "opennebula.secretName" .) $own -}}
{{- end -}}
{{- if and .Values.mariadb.enabled (not .Values.mariadb.auth.existingSecret) -}}
{{- $keys := .Values.mariadb.auth.existingSecretKeys -}}
{{- $_ := set $made (include "opennebula.mariadb.name" .) (dict $keys.password "password" $keys.rootPassword "password") -}}
{{- end -}}
{{- if and .Values.mariadbOperator.enabled (not .Values.mariadbOperator.existingSecret) -}}
{{- $keys := .Values.mariadbOperator.existingSecretKeys -}}
{{- $_ := set $made (include "opennebula.mariadbOperator.name" .) (dict $keys.password "password" $keys.rootPassword "password") -}}
{{- end -}}
{{- with $made }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* The files of the front-end below /run/secrets/opennebula, as YAML: list of {secret, key, path}. */}}
{{- define "opennebula.secretFiles" -}}
{{- $secret := include "opennebula.secretName" . -}}
{{- $keys := .Values.opennebula.existingSecretKeys -}}
{{- $files := list (merge (dict "path" "oneadmin-password") (include "opennebula.password" . | fromYaml)) -}}
{{- range $path, $key := dict "one-key" $keys.oneKey "fireedge-key" $keys.fireedgeKey "serveradmin-secret" $keys.serveradminSecret -}}
{{- if $key }}{{ $files = append $files (dict "path" $path "secret" $secret "key" $key) }}{{ end -}}
{{- end -}}
{{- if .Values.ssh.existingSecret -}}
{{- $files = append $files (dict "path" "ssh-private-key" "secret" .Values.ssh.existingSecret "key" .Values.ssh.existingSecretKeys.privateKey) -}}
{{- else if $keys.sshPrivateKey -}}
{{- $files = append $files (dict "path" "ssh-private-key" "secret" $secret "key" $keys.sshPrivateKey) -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{/* A projected volume's content from a list of {secret, key, path}: one source a Secret. Call with that list. */}}
{{- define "opennebula.projected" -}}
{{- $sources := dict -}}
{{- range . -}}
{{- $items := get $sources .secret | default list -}}
{{- $_ := set $sources .secret (append $items (dict "key" .key "path" .path)) -}}
{{- end -}}
defaultMode: 288 # 0440, in decimal: YAML 1.2 has no such octal numbers
sources:
  {{- range $secret, $items := $sources }}
  - secret:
      name: {{ $secret | quote }}
      items:
        {{- toYaml $items | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* How the Job and what it needs are marked: hooks, or plain objects. Call with a dict: root, weight. */}}
{{- define "opennebula.secretsHook" -}}
{{- if .root.Values.secretsJob.hook -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
{{- end -}}
