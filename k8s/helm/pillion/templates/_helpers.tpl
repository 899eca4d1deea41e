{{/* Values of this chart, from here and from a chart that has it as a dependency. */}}
{{- define "pillion.values" -}}
{{- $root := default . (get . "root") -}}
{{- $v := $root.Values -}}
{{- if hasKey $v "pillion" }}{{ $v = $v.pillion }}{{ end -}}
{{- toYaml $v -}}
{{- end }}

{{- define "pillion.name" -}}
{{- $v := include "pillion.values" . | fromYaml -}}
{{- default "pillion" $v.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "pillion.fullname" -}}
{{- $root := default . (get . "root") -}}
{{- $v := include "pillion.values" . | fromYaml -}}
{{- $name := include "pillion.name" . -}}
{{- if $v.fullnameOverride -}}
{{- $v.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name $root.Release.Name -}}
{{- $root.Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" $root.Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "pillion.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pillion.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pillion.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "pillion.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: profiling
app.kubernetes.io/part-of: pillion
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "pillion.image" -}}
{{- $v := include "pillion.values" . | fromYaml -}}
{{- $i := $v.image -}}
{{- $name := ternary (printf "%s/%s" $i.registry $i.repository) $i.repository (ne $i.registry "") -}}
{{- if $i.digest -}}
{{- printf "%s@%s" $name $i.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default "dev" $i.tag) -}}
{{- end -}}
{{- end }}

{{- define "pillion.serviceAccountName" -}}
{{- $v := include "pillion.values" . | fromYaml -}}
{{- if $v.serviceAccount.create -}}
{{- default (include "pillion.fullname" .) $v.serviceAccount.name -}}
{{- else -}}
{{- default "default" $v.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* The Secret with the endpoint's certificate; empty: none. */}}
{{- define "pillion.tlsSecret" -}}
{{- $v := include "pillion.values" . | fromYaml -}}
{{- if $v.tls.secret }}{{ $v.tls.secret }}{{ else if $v.tls.certManager.enabled }}{{ include "pillion.fullname" . }}-tls{{ end -}}
{{- end }}

{{/* pillion.yaml: config, with what tokens and tls add. */}}
{{- define "pillion.config" -}}
{{- $v := include "pillion.values" . | fromYaml -}}
{{- $c := $v.config -}}
{{- if $v.tokens.secret -}}
{{- $auth := default dict $c.auth -}}
{{- $tokens := default list $auth.tokens -}}
{{- range $v.tokens.entries -}}
{{- $tokens = append $tokens (dict "name" .name "file" (printf "/etc/pillion-tokens/%s" .name) "scopes" .scopes) -}}
{{- end -}}
{{- $_ := set $auth "tokens" $tokens -}}
{{- $_ := set $c "auth" $auth -}}
{{- end -}}
{{- if include "pillion.tlsSecret" . -}}
{{- $tls := dict "certificate" "/etc/pillion-tls/tls.crt" "key" "/etc/pillion-tls/tls.key" -}}
{{- if ne $v.tls.clientAuth "off" -}}
{{- $_ := set $tls "client_ca" "/etc/pillion-tls/ca.crt" -}}
{{- $_ := set $tls "client_auth" $v.tls.clientAuth -}}
{{- end -}}
{{- $_ := set $c.admin "tls" $tls -}}
{{- end -}}
{{- toYaml $c -}}
{{- end }}
