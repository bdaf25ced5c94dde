# frozen_string_literal: true

# A simulated OneKS (releases 7.4 and later): it listens and lets nobody in but users of oned, who have no clusters.

require(ENV['ONESIM_CLOUD'] || '/usr/lib/onesim/cloud.rb')

conf = Cloud.configuration('oneks-server.conf')
server = conf[:server]
Cloud.service(conf, 'oneks', server[:bind], server[:port], '%s [%s] [SRV]: %s')
