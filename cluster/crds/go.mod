// The modules whose resource definitions the cluster takes. Nothing of them is compiled.
module github.com/pablodelarco/opennebula-kubernetes/cluster/crds

go 1.25.0

require (
	github.com/mariadb-operator/mariadb-operator v0.38.1
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.3.0 // what cluster/traefik is compiled with
)
