# frozen_string_literal: true

# A simulated hook execution manager: it keeps connections to oned's publisher and reply sockets, and runs
# no hooks.

require(ENV['ONESIM_CLOUD'] || '/usr/lib/onesim/cloud.rb')

conf = Cloud.configuration('onehem-server.conf')
log = File.open("#{Cloud::LOG}/onehem.log", 'a')
log.sync = true
say = ->(text) { log.puts "#{Time.now.strftime('%a %b %e %H:%M:%S %Y')} [I]: #{text}" }

stopping = Queue.new
%w[TERM INT].each {|name| Signal.trap(name) { stopping << name } }

say.call('Starting Hook Execution Manager')
[conf[:subscriber_endpoint], conf[:replier_endpoint]].each do |endpoint|
    address = URI(endpoint)
    Thread.new do
        loop do
            socket = TCPSocket.new(address.host, address.port)
            say.call("Connected to #{endpoint}")
            socket.read
            say.call("Lost #{endpoint}")
        rescue SystemCallError
            sleep 0.1
        end
    end
end
say.call('Hook Execution Manager started')

stopping.pop
sleep Cloud.scaled(1.4)
say.call('Stopping Hook Execution Manager')
exit!(0)
