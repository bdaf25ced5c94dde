# frozen_string_literal: true

# A simulated OneGate: it listens and refuses, because no machine of the simulation holds a token.

require(ENV['ONESIM_CLOUD'] || '/usr/lib/onesim/cloud.rb')

conf = Cloud.configuration('onegate-server.conf')
# Release 7.4 moved the address below :server:
host = conf[:host] || conf.dig(:server, :bind)
port = conf[:port] || conf.dig(:server, :port)

begin
    Cloud.secret('onegate_auth')
rescue StandardError => e
    warn e.message
    exit(-1)
end

log = File.open("#{Cloud::LOG}/onegate.log", 'a')
log.sync = true

Cloud.serve(host, port, 2.0, log) {|*| [401, 'text/plain', 'Not authorized'] }
