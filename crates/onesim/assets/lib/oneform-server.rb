# frozen_string_literal: true

# A simulated OneForm (releases 7.2 and later): it listens and lets nobody in but users of oned, who have no
# provisions.

require(ENV['ONESIM_CLOUD'] || '/usr/lib/onesim/cloud.rb')

conf = Cloud.configuration('oneform-server.conf')
Cloud.service(conf, 'oneform', conf[:host], conf[:port], '%s [%s] [LOG]: %s')
