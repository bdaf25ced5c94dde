# frozen_string_literal: true

# A simulated OneForm (releases 7.2 and later): it listens and lets nobody in but users of oned, who have no
# provisions. As the real one does, it puts links to its drivers' IPAM scripts over those of the remotes.

require(ENV['ONESIM_CLOUD'] || '/usr/lib/onesim/cloud.rb')

Dir.glob('/usr/lib/one/oneform/drivers/*/ipam/*').each do |script|
    link = File.join(Cloud::VAR, 'remotes', 'ipam', script.split('/')[-3], File.basename(script))
    FileUtils.mkdir_p(File.dirname(link))
    FileUtils.rm_f(link)
    FileUtils.ln_s(script, link)
end

conf = Cloud.configuration('oneform-server.conf')
Cloud.service(conf, 'oneform', conf[:host], conf[:port], '%s [%s] [LOG]: %s')
