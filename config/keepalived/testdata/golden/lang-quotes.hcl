# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   lang-quotes.conf:11: vrrp_instance q: it has no virtual_router_id, and keepalived leaves such an instance out; its VIPs were made without a virtual router; add virtual_router_id, and import again
#
# changed meaning:
#   lang-quotes.conf:4: vrrp_script quoted / user "checker" "staff": a script runs with the groups of its user; make another user, if the group is needed
#   lang-quotes.conf:7: vrrp_script shell / script "/bin/bash -c 'test -e /run/ok && exit 0; exit 1'": it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   lang-quotes.conf:9: vrrp_script shell / timeout 10: timeout is 500ms: it can be from 1ms to 500ms; look whether that will do
#   lang-quotes.conf:20: vrrp_instance q / notify "/usr/local/bin/tell --to 'on call' q" teller: notify "q": the last arguments are as from keepalived, but the priority is always 100; one runs after another, for 5m at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# lang-quotes.conf:14
vip "q" {
  address   = "10.8.0.1/24"
  interface = "eth0"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# lang-quotes.conf:1
node_check "quoted" {
  required = true
  vips     = ["q"]

  check "script" {
    interval = "5s"
    timeout  = "5s"
    rise     = 1
    fall     = 1
    command  = ["/usr/local/bin/check", "two words", "inner", "A"]
    user     = "checker"
  }
}

# lang-quotes.conf:6
node_check "shell" {
  required = true
  vips     = ["q"]

  check "script" {
    interval = "500ms"
    timeout  = "500ms"
    rise     = 1
    fall     = 1
    command  = ["/bin/bash", "-c", "test -e /run/ok && exit 0; exit 1"]
  }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# lang-quotes.conf:20
notify "q" {
  vips = ["q"]

  script {
    command = ["/usr/local/bin/tell", "--to", "on call", "q"]
    user    = "teller"
    timeout = "5m"
  }
}

# All findings:
# mistake in the source (1)
#   lang-quotes.conf:11  vrrp_instance q  it has no virtual_router_id, and keepalived leaves such an instance out; its VIPs were made without a virtual router; add virtual_router_id, and import again
#
# changed meaning (4)
#   lang-quotes.conf:4   vrrp_script quoted / user "checker" "staff"                                    a script runs with the groups of its user; make another user, if the group is needed
#   lang-quotes.conf:7   vrrp_script shell / script "/bin/bash -c 'test -e /run/ok && exit 0; exit 1'"  it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   lang-quotes.conf:9   vrrp_script shell / timeout 10                                                 timeout is 500ms: it can be from 1ms to 500ms; look whether that will do
#   lang-quotes.conf:20  vrrp_instance q / notify "/usr/local/bin/tell --to 'on call' q" teller         notify "q": the last arguments are as from keepalived, but the priority is always 100; one runs after another, for 5m at most
#
# mapped (12)
#   lang-quotes.conf:1   vrrp_script quoted                                                             node_check
#   lang-quotes.conf:2   vrrp_script quoted / script "/usr/local/bin/check 'two words' \"inner\" \x41"  check "script": command
#   lang-quotes.conf:3   vrrp_script quoted / interval 5                                                check: interval
#   lang-quotes.conf:6   vrrp_script shell                                                              node_check
#   lang-quotes.conf:8   vrrp_script shell / interval 0.5                                               check: interval
#   lang-quotes.conf:11  vrrp_instance q                                                                vip "q"
#   lang-quotes.conf:12  vrrp_instance q / interface eth0                                               vip: interface
#   lang-quotes.conf:13  vrrp_instance q / virtual_ipaddress                                            vip: address
#   lang-quotes.conf:14  vrrp_instance q / virtual_ipaddress / 10.8.0.1/24                              vip "q": address
#   lang-quotes.conf:16  vrrp_instance q / track_script                                                 node_check: vips, groups
#   lang-quotes.conf:17  vrrp_instance q / track_script / quoted                                        node_check "quoted": required
#   lang-quotes.conf:18  vrrp_instance q / track_script / shell                                         node_check "shell": required
#
