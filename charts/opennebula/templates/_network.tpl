{{/* Parts of the NetworkPolicies. */}}

{{/* Ports that clients use, as YAML: list of ports of a NetworkPolicy. */}}
{{- define "opennebula.clientPorts" -}}
{{- $numbers := list 2633 -}}
{{- if .Values.fireedge.enabled }}{{ $numbers = append $numbers 2616 }}{{ end -}}
{{- if .Values.oneflow.enabled }}{{ $numbers = append $numbers 2474 }}{{ end -}}
{{- if .Values.onegate.enabled }}{{ $numbers = append $numbers 5030 }}{{ end -}}
{{- range $numbers }}
- port: {{ . }}
  protocol: TCP
{{- end }}
{{- end -}}

{{/* To any address: name servers are pods, nodes, or link-local addresses of a cache on the node. */}}
{{- define "opennebula.egress.dns" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
    {{- if ((.Values.global | default dict).openshift | default dict).enabled }}
    # The port of OpenShift's name servers behind their Service's 53.
    - port: 5353
      protocol: UDP
    - port: 5353
      protocol: TCP
    {{- end }}
{{- end -}}

{{/*
To any address: no selector finds the API server, and policies see the port behind the Service's 443. 6443 is kubeadm's, k3s'
and OpenShift's, 8443 minikube's, 16443 MicroK8s'.
*/}}
{{- define "opennebula.egress.kubernetes" -}}
- ports:
    {{- range list 443 6443 8443 16443 }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- end -}}

{{/*
Blocks of addresses as peers, without the addresses where a cloud gives a machine its credentials: link-local ones, Azure's
168.63.129.16, Alibaba's 100.100.100.200, and those of AWS and Google for IPv6. The API server takes an exception only within its
block, so each block is compared. A block that is such an address, or a part of these ranges, stays: it was named on purpose.
Call with a list of blocks.
*/}}
{{- define "opennebula.peersWithoutMetadata" -}}
{{- range $cidr := . -}}
{{- $except := list -}}
{{- range list "169.254.0.0/16" "168.63.129.16/32" "100.100.100.200/32" "fe80::/10" "fd00:ec2::254/128" "fd20:ce::254/128" -}}
{{- if include "opennebula.blockContains" (dict "block" $cidr "part" .) }}{{ $except = append $except . }}{{ end -}}
{{- end }}
- ipBlock:
    cidr: {{ $cidr | quote }}
    {{- with $except }}
    except:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}
{{- end -}}

{{/*
Not empty when a part is within a block and smaller. Of IPv6 only the first 32 bits are compared, which tells the ranges above from
all blocks of at most 32 bits; longer blocks contain none of them but in fd00:ec2::/32 and fd20:ce::/32. Call with a dict: block, part.
*/}}
{{- define "opennebula.blockContains" -}}
{{- $length := int (splitList "/" .block | last) -}}
{{- $sameFamily := eq (contains ":" .block) (contains ":" .part) -}}
{{- if and $sameFamily (le $length 32) (lt $length (int (splitList "/" .part | last))) -}}
{{- $rest := 1 -}}
{{- range until (int (sub 32 $length)) }}{{ $rest = mul $rest 2 }}{{ end -}}
{{- $block := include "opennebula.firstBits" .block | int64 -}}
{{- $part := include "opennebula.firstBits" .part | int64 -}}
{{- if eq (div $block $rest) (div $part $rest) }}yes{{ end -}}
{{- end -}}
{{- end -}}

{{/* The first 32 bits of a block's address as a number. */}}
{{- define "opennebula.firstBits" -}}
{{- $address := splitList "/" . | first -}}
{{- $number := 0 -}}
{{- if contains ":" $address -}}
{{- /* What "::" stands for is zero: only groups before it count. */ -}}
{{- $groups := splitList "::" $address | first | splitList ":" -}}
{{- range list 0 1 -}}
{{- $group := "0" -}}
{{- if lt . (len $groups) }}{{ $group = index $groups . | default "0" }}{{ end -}}
{{- $number = add (mul $number 65536) (int64 (printf "0x%s" $group)) -}}
{{- end -}}
{{- else -}}
{{- range splitList "." $address }}{{ $number = add (mul $number 256) (int64 .) }}{{ end -}}
{{- end -}}
{{- $number -}}
{{- end -}}
