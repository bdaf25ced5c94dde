# frozen_string_literal: true

# What the simulated OneFlow and OneGate share: a small HTTP server on plain sockets, XML-RPC to oned as the
# user or as serveradmin on behalf of one, the fixed time that a stop takes. Standard library only.

require 'fileutils'
require 'ipaddr'
require 'json'
require 'net/http'
require 'openssl'
require 'socket'
require 'uri'
require 'yaml'

module Cloud

    LOCATION = ENV['ONE_LOCATION'].to_s
    ETC = LOCATION.empty? ? '/etc/one' : "#{LOCATION}/etc"
    VAR = LOCATION.empty? ? '/var/lib/one' : "#{LOCATION}/var"
    LOG = LOCATION.empty? ? '/var/log/one' : "#{LOCATION}/var"

    module_function

    def configuration(name)
        YAML.safe_load(File.read("#{ETC}/#{name}"), :permitted_classes => [Symbol])
    end

    # serveradmin's secret, which oned wrote at its first start
    def secret(name)
        File.read("#{VAR}/.one/#{name}").lines.first.strip.split(':', 2)
    end

    def scaled(seconds)
        file = '/usr/lib/onesim/time-scale'
        factor = ENV['ONESIM_TIME_SCALE'] || (File.read(file) if File.exist?(file)) || '1'
        seconds * factor.to_f
    end

    # The session of serveradmin for another user: AES-256-CBC with the secret's digest as key
    def token_for(user, auth)
        server, password = auth
        key = OpenSSL::Digest::SHA256.hexdigest(password)
        cipher = OpenSSL::Cipher.new('aes-256-cbc').encrypt
        cipher.key = key[0, 32]
        cipher.iv = key[0, 16]
        sealed = cipher.update("#{server}:#{user}:#{Time.now.to_i + 300}") + cipher.final
        "#{server}:#{user}:#{[sealed].pack('m0')}"
    end

    # [success, value or text]; raises when oned does not answer
    def call(endpoint, method, *parameters)
        values = parameters.map do |p|
            typed = p.is_a?(Integer) ? "<i4>#{p}</i4>" : "<string>#{escape(p)}</string>"
            "<param><value>#{typed}</value></param>"
        end
        body = "<?xml version=\"1.0\"?><methodCall><methodName>#{method}</methodName>" \
               "<params>#{values.join}</params></methodCall>"
        answer = Net::HTTP.post(URI(endpoint), body, 'Content-Type' => 'text/xml').body
        [answer.include?('<boolean>1</boolean>'), unescape(answer[%r{<string>(.*?)</string>}m, 1].to_s)]
    end

    def escape(text)
        text.gsub('&', '&amp;').gsub('<', '&lt;').gsub('>', '&gt;')
    end

    def unescape(text)
        text.gsub('&lt;', '<').gsub('&gt;', '>').gsub('&amp;', '&')
    end

    # A whole server that knows nothing but its users: OneForm and OneKS. Lines of its log have the given form. The block, if
    # there is one, gives the reason for which the server cannot start.
    def service(conf, name, host, port, form)
        begin
            secret("#{name}_auth")
        rescue StandardError => e
            warn "Error initializing authentication system: #{e.message}"
            exit(-1)
        end
        log = File.open("#{LOG}/#{name}.log", 'a')
        log.sync = true
        say = ->(severity, text) { log.puts format(form, stamp, severity, text) }
        if block_given? && (reason = yield)
            say.call('E', "Server initialization failed: #{reason}")
            exit(1)
        end
        say.call('I', 'Starting server')
        trace(name) {|text| say.call('E', text) }
        serve(host, port, 2.0, log, say) do |_, _, headers|
            user, password = basic(headers)
            known = user && call(conf[:one_xmlrpc], 'one.user.info', "#{user}:#{password}", -1).first
            known ? [200, 'application/json', '[]'] : [401, 'application/json', '{"message":"Not authorized"}']
        end
    end

    def stamp
        Time.now.strftime('%a %b %d %H:%M:%S %Y')
    end

    # A knob of the simulation: while the file /usr/lib/onesim/trace has the server's name in it, the server logs an error
    # with its backtrace when it starts, as the real ones do for what they did not expect.
    def trace(name)
        file = '/usr/lib/onesim/trace'
        return unless File.exist?(file) && File.read(file).split.include?(name)

        yield "undefined method `[]' for nil\n/usr/lib/one/#{name}/#{name}-server.rb:61:in `block in call'\n" \
              "/usr/share/one/gems/gems/sinatra-4.1.1/lib/sinatra/base.rb:1811:in `call!'"
    end

    def release
        file = '/usr/lib/onesim/release'
        ENV['ONESIM_RELEASE'] || (File.read(file).strip if File.exist?(file)) || '7.0.0'
    end

    # Hosts that Sinatra 4.1 permits in its environment `development` (Rack::Protection::HostAuthorization); nil where it
    # permits all: in any other environment, and since 7.4, whose servers say so themselves.
    def permitted_hosts
        environment = ENV['APP_ENV'] || ENV['RACK_ENV'] || 'development'
        return if environment != 'development' || release.start_with?('7.4')

        lambda do |authority|
            host = authority.to_s.sub(/:\d+\z/, '').downcase
            next true if host == 'localhost' || host.match?(/\A[a-z0-9\-][a-z0-9\-.]*\.(localhost|test)\z/)

            begin
                IPAddr.new(host) && true
            rescue IPAddr::Error
                false
            end
        end
    end

    # Whether a request may pass: by its Host, and by the one that a proxy says it had.
    def host_permitted?(headers)
        permitted = permitted_hosts
        return true if permitted.nil?

        forwarded = headers['x-forwarded-host'].to_s.split(/,\s?/).last
        permitted.call(headers['host']) && (forwarded.nil? || permitted.call(forwarded))
    end

    # Serves until SIGTERM. The block gets method, path, headers and returns [status, type, body]. Each answer is a line in
    # the log as Rack::CommonLogger writes it, by `say`, which is called with a severity and a text.
    def serve(host, port, stop_seconds, log, say = nil)
        say ||= ->(severity, text) { log.puts "#{stamp} [#{severity}]: #{text}" }
        server = TCPServer.new(host, port)
        stopping = Queue.new
        %w[TERM INT].each {|name| Signal.trap(name) { stopping << name } }
        log.puts "== Listening on #{host}:#{port}"
        log.flush
        Thread.new do
            loop do
                client = server.accept
                Thread.new do
                    answer(client, say) {|*request| yield(*request) }
                rescue SystemCallError, IOError
                    nil
                ensure
                    client.close
                end
            end
        end
        stopping.pop
        sleep scaled(stop_seconds)
        log.puts '== Stopped'
        exit!(0)
    end

    REASONS = { 200 => 'OK', 400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
                404 => 'Not Found', 500 => 'Internal Server Error' }.freeze

    def answer(client, say)
        began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        method, path, version = client.gets.to_s.split
        return if path.nil?

        headers = {}
        while (line = client.gets) && !line.strip.empty?
            name, value = line.split(':', 2)
            headers[name.downcase] = value.to_s.strip
        end
        client.read(headers['content-length'].to_i) if headers['content-length']
        permitted = host_permitted?(headers)
        status, type, body =
            begin
                permitted ? yield(method, path.split('?').first, headers) : [403, 'text/plain', 'Host not permitted']
            rescue StandardError => e
                [500, 'text/plain', e.message]
            end
        # A request that the protection refuses does not come as far as the logger.
        if permitted
            took = Process.clock_gettime(Process::CLOCK_MONOTONIC) - began
            say.call('I', format('%s - - [%s] "%s %s %s" %d %s %0.4f', client.peeraddr(false).last,
                                 Time.now.strftime('%d/%b/%Y:%H:%M:%S %z'), method, path, version, status,
                                 body.empty? ? '-' : body.bytesize, took))
        end
        extra = status == 401 ? "WWW-Authenticate: Basic realm=\"Restricted Area\"\r\n" : ''
        client.write "HTTP/1.1 #{status} #{REASONS[status]}\r\nContent-Type: #{type}\r\n#{extra}" \
                     "Content-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}"
    end

    # [user, password] of basic authentication
    def basic(headers)
        kind, value = headers['authorization'].to_s.split
        return unless kind == 'Basic'

        value.to_s.unpack1('m').split(':', 2)
    end

end
