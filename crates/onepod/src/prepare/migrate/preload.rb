# Loaded into the vendor's onedb by RUBYOPT, so that the database's password is in no argument and may have blanks.
#
# onedb puts the password into a URL, where a blank becomes a plus, and into the command lines of mysqldump and mysql
# (OpenNebula 7.0.2 to 7.4.0, src/onedb/onedb_backend.rb). Here the connection takes it as it is, and the two programs
# read it from a file. Both lie beside this file, for the user of the process alone. onedb itself is given a word that
# stands for it; were this file not loaded, the server would refuse that word.

# Progress is to be seen when it is made.
$stdout.sync = true
$stderr.sync = true
ENV.delete('RUBYOPT')

module OnepodLogin

    OPTIONS  = File.join(__dir__, 'login.cnf')
    PASSWORD = File.join(__dir__, 'password')

    # Everything that onedb gives to a shell begins with one of the two programs and the login.
    def system(*command)
        login = " -u #{@user} -p'#{@passwd}' -h #{@server} -P #{@port} "
        line  = command.first

        unless command.size == 1 && line.match?(/\A(mysqldump|mysql) /) && line.include?(login)
            raise 'this onedb calls the database client in a way that onepod does not know'
        end

        options = " --defaults-file=#{OPTIONS} "
        # One view of all tables without locking any: the lease of the database is renewed meanwhile, and is none of a dump's.
        options += "--single-transaction --ignore-table=#{@db_name}.onepod_lease " if line.start_with?('mysqldump ')

        super(line.sub(login) { options })
    end

    private

    def connect_db
        options = {
            :adapter  => 'mysql2',
            :host     => @server,
            :port     => Integer(@port),
            :user     => @user,
            :password => File.read(PASSWORD, :encoding => 'UTF-8'),
            :database => @db_name
        }
        options[:encoding] = @encoding unless @encoding.to_s.empty?

        @db = Sequel.connect(options)
    rescue StandardError => e
        raise "Error connecting to DB: #{e.message}"
    end

end

if File.file?(OnepodLogin::OPTIONS)
    TracePoint.new(:end) do |trace|
        if trace.self.is_a?(Class) && trace.self.name == 'BackEndMySQL'
            trace.self.prepend(OnepodLogin)
            trace.disable
        end
    end.enable
end
