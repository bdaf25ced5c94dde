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

{{/*
Not empty when a value is a secret by its name or its form; in a list or a map, when one of its values is. The names are those that onepod
hides in its log (sounds_secret in vendor.rs), and more. Call with a dict: name, value.
*/}}
{{- define "opennebula.soundsSecret" -}}
{{- if kindIs "map" .value -}}
{{- range $name, $value := .value }}{{ include "opennebula.soundsSecret" (dict "name" $name "value" $value) }}{{ end -}}
{{- else if kindIs "slice" .value -}}
{{- $name := .name -}}
{{- range .value }}{{ include "opennebula.soundsSecret" (dict "name" $name "value" .) }}{{ end -}}
{{- else if kindIs "string" .value -}}
{{- $named := regexMatch "(?i)PASSW|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|(^|_|/)(KEY|PWD|PASS)$" .name -}}
{{- $elsewhere := or (regexMatch "(?i)_(FILE|PATH|DIR|NAME|ATTR)$" .name) (regexMatch "^(/.*|[0-9]+|true|false|yes|no|)$" .value) -}}
{{- if or (and $named (not $elsewhere)) (regexMatch "://[^/@ ]*:[^/@ ]+@|-----BEGIN [A-Z ]*PRIVATE KEY" .value) }}yes{{ end -}}
{{- end -}}
{{- end -}}

{{/* The specification of the Job that makes Secrets. Call with a dict: root, arguments. */}}
{{- define "opennebula.secretsJobSpec" -}}
{{- with .root -}}
backoffLimit: 3
# Also where its image cannot be pulled or its pod is refused: a hook that never ends would stay for ever.
activeDeadlineSeconds: {{ int .Values.secretsJob.activeDeadlineSeconds }}
{{- if .Values.secretsJob.hook }}
# A day, for those who look for it afterwards. A plain Job stays: one that is gone would be out of sync.
ttlSecondsAfterFinished: 86400
{{- end }}
template:
  metadata:
    labels:
      {{- include "opennebula.podLabels" (dict "root" . "component" "secrets") | nindent 6 }}
  spec:
    serviceAccountName: {{ include "opennebula.fullname" . }}-secrets
    # The one pod that changes something in Kubernetes.
    automountServiceAccountToken: true
    restartPolicy: Never
    {{- include "opennebula.podBasics" . | nindent 4 }}
    containers:
      - name: secrets
        image: {{ include "opennebula.image" . | quote }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        args:
          {{- toYaml $.arguments | nindent 10 }}
        # Why it failed is then in `kubectl describe pod`.
        terminationMessagePolicy: FallbackToLogsOnError
        resources:
          {{- toYaml .Values.secretsJob.resources | nindent 10 }}
        securityContext:
          {{- include "opennebula.containerSecurityContext" . | nindent 10 }}
{{- end -}}
{{- end -}}
