# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   lang-predefined.conf:10: vrrp_script one / user: it wants a user; correct it, then import again
#   lang-predefined.conf:20: includem nothing-there*.conf: no file matches here, and includem has keepalived complain; where the director has such files, copy them to the same place beside this one and import again
#
# unsupported:
#   lang-predefined.conf:10: ${_ENV USER}: the value is in the environment of the daemon, and not known here; nothing was put in its place; write the value into the file, then import it again
#
# changed meaning:
#   lang-predefined.conf:3: ${_RANDOM}: keepalived takes another number each time that it starts; 1 was taken here; write a number
#   lang-predefined.conf:9: vrrp_script one / script "/bin/test ! -e /run/off": it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   lang-predefined.conf:14: vrrp_instance predefined / virtual_router_id 120: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-predefined.conf:15: vrrp_instance predefined / priority 110: the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# lang-predefined.conf:14
virtual_router "predefined" {
  vrid    = 120
  version = 2
}

# A virtual IP address, which one node at a time owns.
# lang-predefined.conf:16
vip "predefined" {
  address        = "10.120.0.1/24"
  interface      = "eth0"
  virtual_router = "predefined"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# lang-predefined.conf:8
node_check "one" {
  required = true
  vips     = ["predefined"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/bin/test", "!", "-e", "/run/off"]
  }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# lang-predefined.conf:4
notify "lvs-notify-fifo" {
  events = ["health", "service"]

  fifo { path = "//lvs.fifo" }
}

# lang-predefined.conf:5
notify "vrrp-notify-fifo" {
  events = ["assign"]

  fifo { path = "/run/lb1.fifo" }
}

# All findings:
# mistake in the source (2)
#   lang-predefined.conf:10  vrrp_script one / user        it wants a user; correct it, then import again
#   lang-predefined.conf:20  includem nothing-there*.conf  no file matches here, and includem has keepalived complain; where the director has such files, copy them to the same place beside this one and import again
#
# unsupported (1)
#   lang-predefined.conf:10  ${_ENV USER}  the value is in the environment of the daemon, and not known here; nothing was put in its place; write the value into the file, then import it again
#
# changed meaning (4)
#   lang-predefined.conf:3   ${_RANDOM}                                          keepalived takes another number each time that it starts; 1 was taken here; write a number
#   lang-predefined.conf:9   vrrp_script one / script "/bin/test ! -e /run/off"  it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   lang-predefined.conf:14  vrrp_instance predefined / virtual_router_id 120    the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-predefined.conf:15  vrrp_instance predefined / priority 110             the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#
# ignored: not needed (2)
#   lang-predefined.conf:3   global_defs / router_id lb1  a node has the name of its agent, lb1
#   lang-predefined.conf:19  includer nothing-here*.conf  no file matches here, which keepalived passes over in silence; where the director has such files, copy them to the same place beside this one and import again
#
# mapped (11)
#   lang-predefined.conf:2   global_defs                                                   cluster, and notify blocks: see what stands in it
#   lang-predefined.conf:4   global_defs / lvs_notify_fifo //lvs.fifo                      notify "lvs-notify-fifo": fifo
#   lang-predefined.conf:5   global_defs / vrrp_notify_fifo /run/lb1.fifo                  notify "vrrp-notify-fifo": fifo
#   lang-predefined.conf:8   vrrp_script one                                               node_check
#   lang-predefined.conf:12  vrrp_instance predefined                                      vip "predefined"
#   lang-predefined.conf:13  vrrp_instance predefined / interface eth0                     vip: interface
#   lang-predefined.conf:14  vrrp_instance predefined / virtual_router_id 120              virtual_router: vrid
#   lang-predefined.conf:16  vrrp_instance predefined / virtual_ipaddress                  vip: address
#   lang-predefined.conf:16  vrrp_instance predefined / virtual_ipaddress / 10.120.0.1/24  vip "predefined": address
#   lang-predefined.conf:17  vrrp_instance predefined / track_script                       node_check: vips, groups
#   lang-predefined.conf:17  vrrp_instance predefined / track_script / one                 node_check "one": required
#
