{{/*
For the Pods of other charts; README.md shows them in use. Each takes the chart's context, or
(dict "root" $ "args" (list "--process" "worker")) for a workload whose target is another one.
*/}}

{{/* One container, as an item of initContainers (native) or containers. */}}
{{- define "pillion.sidecar" -}}
{{- $v := include "pillion.values" . | fromYaml -}}
{{- $root := default . (get . "root") -}}
{{- if and $v.native (semverCompare "<1.29.0-0" $root.Capabilities.KubeVersion.Version) -}}
{{- fail "native sidecars want Kubernetes 1.29 (an older one waits for ever): set native to false" -}}
{{- end -}}
{{- $add := get (dict "perf" (ternary (list) (list "PERFMON") (ne $v.seccomp "")) "full" (list "PERFMON" "SYS_PTRACE") "ptrace" (list "SYS_PTRACE") "restricted" (list)) $v.mode -}}
{{- $capabilities := dict "drop" (list "ALL") -}}
{{- if $add }}{{ $_ := set $capabilities "add" $add }}{{ end -}}
{{- $seccomp := ternary (dict "type" "Localhost" "localhostProfile" $v.seccomp) (dict "type" "RuntimeDefault") (ne $v.seccomp "") -}}
{{- $security := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "runAsNonRoot" true "capabilities" $capabilities "seccompProfile" $seccomp -}}
- name: pillion
  image: {{ include "pillion.image" . }}
  imagePullPolicy: {{ $v.image.pullPolicy }}
  {{- if $v.native }}
  restartPolicy: Always
  {{- end }}
  args: {{ concat (list "run" "--config" "/etc/pillion/pillion.yaml") (default list (get . "args")) | toJson }}
  ports:
    - {name: pprof-https, containerPort: 6060}
    - {name: pprof-health, containerPort: 6061}
  env:
    - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: HOST_IP, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
    {{- with $v.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if $v.native }}
  startupProbe: {httpGet: {path: /livez, port: pprof-health}, periodSeconds: 1, failureThreshold: 30}
  {{- end }}
  livenessProbe: {httpGet: {path: /livez, port: pprof-health}, periodSeconds: 10, timeoutSeconds: 3}
  resources:
    {{- toYaml $v.resources | nindent 4 }}
  securityContext:
    {{- toYaml (mergeOverwrite $security (default dict $v.securityContext)) | nindent 4 }}
  volumeMounts:
    - {name: pillion, mountPath: /etc/pillion, readOnly: true}
    {{- if $v.tokens.secret }}
    - {name: pillion-tokens, mountPath: /etc/pillion-tokens, readOnly: true}
    {{- end }}
    {{- if include "pillion.tlsSecret" . }}
    - {name: pillion-tls, mountPath: /etc/pillion-tls, readOnly: true}
    {{- end }}
    {{- if include "pillion.keeps" . }}
    - {name: pillion-data, mountPath: /var/lib/pillion}
    {{- end }}
    {{- with $v.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* Not empty: something is kept on disk. */}}
{{- define "pillion.keeps" -}}
{{- $v := include "pillion.values" . | fromYaml -}}
{{- if or (get (default dict $v.config.spool) "dir") (get (default dict $v.config.history) "dir") }}yes{{ end -}}
{{- end }}

{{/* Items of the Pod's volumes. */}}
{{- define "pillion.volumes" -}}
{{- $v := include "pillion.values" . | fromYaml -}}
- name: pillion
  configMap: {name: {{ include "pillion.fullname" . }}}
{{- if $v.tokens.secret }}
- name: pillion-tokens
  secret: {secretName: {{ $v.tokens.secret }}}
{{- end }}
{{- with include "pillion.tlsSecret" . }}
- name: pillion-tls
  secret: {secretName: {{ . }}}
{{- end }}
{{- if include "pillion.keeps" . }}
- name: pillion-data
  emptyDir: {sizeLimit: {{ $v.data.sizeLimit }}}
{{- end }}
{{- with $v.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of the Pod, by which PodMonitor, ServiceMonitor and NetworkPolicy find it. */}}
{{- define "pillion.podLabels" -}}
pillion/injected: "true"
{{- end }}

{{/* Annotations of the Pod, for Alloy of the k8s-monitoring chart. */}}
{{- define "pillion.scrapeAnnotations" -}}
{{- range list "cpu" "memory" "goroutine" -}}
profiles.grafana.com/{{ . }}.scrape: "true"
profiles.grafana.com/{{ . }}.container: pillion
profiles.grafana.com/{{ . }}.port_name: pprof-https
profiles.grafana.com/{{ . }}.scheme: https
{{ end -}}
{{- end }}
