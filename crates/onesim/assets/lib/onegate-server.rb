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

say = ->(severity, text) { log.puts "#{Cloud.stamp} [#{severity}]: #{text}" }

# Only its root and what is below these paths asks for a token.
PLACES = %w[vm service vrouter vnet].freeze

# For all other paths it has a route too, of these methods.
METHODS = %w[GET HEAD POST PUT DELETE OPTIONS PATCH].freeze
UNKNOWN = "OneGate server doesn't support this feature"

Cloud.serve(host, port, 2.0, log, say) do |method, path, headers|
    next [404, 'text/html', '<h1>Not Found</h1>'] unless METHODS.include?(method)

    unless path == '/' || PLACES.include?(path.split('/')[1])
        say.call('E', UNKNOWN)
        next [400, 'application/json', UNKNOWN]
    end

    token, vm = headers.values_at('x-onegate-token', 'x-onegate-vmid')
    say.call('E', if token.nil?
                      'X_ONEGATE_TOKEN header not preset'
                  elsif vm.nil?
                      'X_ONEGATE_VMID header not preset'
                  else
                      "VMID:#{vm} vm.info error: [one.vm.info] Error getting virtual machine [#{vm}]."
                  end)
    say.call('I', 'Unauthorized login attempt')
    [401, 'text/plain', 'Not authorized']
end
