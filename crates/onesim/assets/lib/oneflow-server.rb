# frozen_string_literal: true

# A simulated OneFlow: it authenticates against oned and lists its services, of which there are none until
# something writes their documents.

require(ENV['ONESIM_CLOUD'] || '/usr/lib/onesim/cloud.rb')

conf = Cloud.configuration('oneflow-server.conf')

begin
    auth = Cloud.secret('oneflow_auth')
rescue StandardError => e
    warn "Error initializing authentication system: #{e.message}"
    exit(-1)
end

log = File.open("#{Cloud::LOG}/oneflow.log", 'a')
log.sync = true
Cloud.trace('oneflow') {|text| log.puts "#{Cloud.stamp} [E]: [SER] #{text}" }

# Documents of services and of their templates
KINDS = { '/service' => 100, '/service_template' => 101 }.freeze

Cloud.serve(conf[:host], conf[:port], 2.0, log) do |method, path, headers|
    user, password = Cloud.basic(headers)
    next [401, 'text/plain', ''] if user.nil? || password.nil?

    known, = Cloud.call(conf[:one_xmlrpc], 'one.user.info', "#{user}:#{password}", -1)
    next [401, 'text/plain', ''] unless known

    kind = KINDS[path]
    next [404, 'text/html', '<h1>Not Found</h1>'] if method != 'GET' || kind.nil?

    listed, pool = Cloud.call(conf[:one_xmlrpc], 'one.documentpool.info',
                              Cloud.token_for(user, auth), -2, -1, -1, kind)
    raise pool unless listed

    documents = pool.scan(%r{<DOCUMENT><ID>(\d+)</ID>.*?<NAME>(.*?)</NAME>}m).map do |id, name|
        { 'ID' => id, 'NAME' => name }
    end
    list = documents.empty? ? {} : { 'DOCUMENT' => documents }
    [200, 'application/json', JSON.pretty_generate('DOCUMENT_POOL' => list)]
end
