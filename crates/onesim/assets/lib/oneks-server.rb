# frozen_string_literal: true

# A simulated OneKS (releases 7.4 and later): it listens and lets nobody in but users of oned, who have no clusters. As the
# real one it exits with 1 unless TPROXY is configured for the ports of the API and OneGate (src/oneks in OpenNebula's source,
# release 7.4.0: cluster_router.rb). The appliance that the real one also needs in a marketplace is not simulated.

require(ENV['ONESIM_CLOUD'] || '/usr/lib/onesim/cloud.rb')

NETWORK = "#{Cloud::VAR}/remotes/etc/vnm/OpenNebulaNetwork.conf"
NEEDED = [2633, 5030].freeze

def missing_ports
    network = YAML.safe_load(File.read(NETWORK), :permitted_classes => [Symbol]) || {}
    entries = Array(network[:tproxy] || network['tproxy'])
    NEEDED - entries.map {|entry| (entry[:service_port] || entry['service_port']).to_i }
rescue Errno::ENOENT
    NEEDED
end

conf = Cloud.configuration('oneks-server.conf')
server = conf[:server]
Cloud.service(conf, 'oneks', server[:bind], server[:port], '%s [%s] [SRV]: %s') do
    missing = missing_ports
    next if missing.empty?

    "requirements are not met:\n  - TPROXY has no service_port #{missing.join(', ')} in #{NETWORK}"
end
