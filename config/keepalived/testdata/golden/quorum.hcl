# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   quorum.conf:4: virtual_server 192.0.2.61 80 / omega: a node that ends tells nobody that servers are down: others go on with them; nothing
#   quorum.conf:7: virtual_server 192.0.2.61 80 / quorum_up "/etc/keepalived/announce.sh up 192.0.2.61": no script is run on a node for what becomes of a service; add a notify block with services = ["SERVICE"], events = ["service"] and fifo { path = "/run/quorate/NAME.fifo" }, and on each director a reader that runs it for lines like VS [192.0.2.10]:tcp:80 UP; or, to have it run once for the cluster, one with by = "leader" and script { command = ["PROGRAM"] }
#   quorum.conf:8: virtual_server 192.0.2.61 80 / quorum_down "/etc/keepalived/announce.sh down 192.0.2.61" root root: no script is run on a node for what becomes of a service; add a notify block with services = ["SERVICE"], events = ["service"] and fifo { path = "/run/quorate/NAME.fifo" }, and on each director a reader that runs it for lines like VS [192.0.2.10]:tcp:80 UP; or, to have it run once for the cluster, one with by = "leader" and script { command = ["PROGRAM"] }
#   quorum.conf:14: virtual_server 192.0.2.61 80 / real_server 10.0.0.1 80 / notify_up "/etc/keepalived/rs.sh up": no script is run on a node for what becomes of a server; add a notify block with services = ["SERVICE"], events = ["health"] and fifo { path = "/run/quorate/NAME.fifo" }, and on each director a reader that runs it for lines like RS [10.0.0.11]:tcp:80 [192.0.2.10]:tcp:80 UP; or, to have it run once for the cluster, one with by = "leader" and script { command = ["PROGRAM"] }
#   quorum.conf:15: virtual_server 192.0.2.61 80 / real_server 10.0.0.1 80 / notify_down "/etc/keepalived/rs.sh down": no script is run on a node for what becomes of a server; add a notify block with services = ["SERVICE"], events = ["health"] and fifo { path = "/run/quorate/NAME.fifo" }, and on each director a reader that runs it for lines like RS [10.0.0.11]:tcp:80 [192.0.2.10]:tcp:80 UP; or, to have it run once for the cluster, one with by = "leader" and script { command = ["PROGRAM"] }
#
# changed meaning:
#   quorum.conf:1: virtual_server 192.0.2.61 80: no vrrp_instance has the address: vip "192.0.2.61" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# quorum.conf:1
vip "192.0.2.61" {
  address = "192.0.2.61/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# quorum.conf:1
service "tcp-192.0.2.61-80" {
  vip        = "192.0.2.61"
  port       = 80
  protocol   = "tcp"
  scheduler  = "wlc"
  forward    = "nat"
  quorum     = 10
  hysteresis = 2

  check "tcp" {
    interval      = "1m"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
  }

  server "10.0.0.1:80" {
    weight          = 6
    upper_threshold = 1000
    lower_threshold = 800
  }
  server "10.0.0.2:80" { weight = 6 }
}

# All findings:
# unsupported (5)
#   quorum.conf:4   virtual_server 192.0.2.61 80 / omega                                                                a node that ends tells nobody that servers are down: others go on with them; nothing
#   quorum.conf:7   virtual_server 192.0.2.61 80 / quorum_up "/etc/keepalived/announce.sh up 192.0.2.61"                no script is run on a node for what becomes of a service; add a notify block with services = ["SERVICE"], events = ["service"] and fifo { path = "/run/quorate/NAME.fifo" }, and on each director a reader that runs it for lines like VS [192.0.2.10]:tcp:80 UP; or, to have it run once for the cluster, one with by = "leader" and script { command = ["PROGRAM"] }
#   quorum.conf:8   virtual_server 192.0.2.61 80 / quorum_down "/etc/keepalived/announce.sh down 192.0.2.61" root root  no script is run on a node for what becomes of a service; add a notify block with services = ["SERVICE"], events = ["service"] and fifo { path = "/run/quorate/NAME.fifo" }, and on each director a reader that runs it for lines like VS [192.0.2.10]:tcp:80 UP; or, to have it run once for the cluster, one with by = "leader" and script { command = ["PROGRAM"] }
#   quorum.conf:14  virtual_server 192.0.2.61 80 / real_server 10.0.0.1 80 / notify_up "/etc/keepalived/rs.sh up"       no script is run on a node for what becomes of a server; add a notify block with services = ["SERVICE"], events = ["health"] and fifo { path = "/run/quorate/NAME.fifo" }, and on each director a reader that runs it for lines like RS [10.0.0.11]:tcp:80 [192.0.2.10]:tcp:80 UP; or, to have it run once for the cluster, one with by = "leader" and script { command = ["PROGRAM"] }
#   quorum.conf:15  virtual_server 192.0.2.61 80 / real_server 10.0.0.1 80 / notify_down "/etc/keepalived/rs.sh down"   no script is run on a node for what becomes of a server; add a notify block with services = ["SERVICE"], events = ["health"] and fifo { path = "/run/quorate/NAME.fifo" }, and on each director a reader that runs it for lines like RS [10.0.0.11]:tcp:80 [192.0.2.10]:tcp:80 UP; or, to have it run once for the cluster, one with by = "leader" and script { command = ["PROGRAM"] }
#
# changed meaning (1)
#   quorum.conf:1  virtual_server 192.0.2.61 80  no vrrp_instance has the address: vip "192.0.2.61" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#
# ignored: not needed (4)
#   quorum.conf:3   virtual_server 192.0.2.61 80 / alpha                                           a server is down until its checks have passed
#   quorum.conf:9   virtual_server 192.0.2.61 80 / ha_suspend                                      the servers are probed by several nodes for the whole cluster, once each
#   quorum.conf:16  virtual_server 192.0.2.61 80 / real_server 10.0.0.1 80 / smtp_alert off        there is nobody to send mail to
#   quorum.conf:20  virtual_server 192.0.2.61 80 / real_server 10.0.0.2 80 / TCP_CHECK / warmup 3  the probes of several servers are spread over the interval without being told
#
# mapped (11)
#   quorum.conf:1   virtual_server 192.0.2.61 80                                              service "tcp-192.0.2.61-80"
#   quorum.conf:2   virtual_server 192.0.2.61 80 / protocol TCP                               protocol
#   quorum.conf:5   virtual_server 192.0.2.61 80 / quorum 10                                  quorum
#   quorum.conf:6   virtual_server 192.0.2.61 80 / hysteresis 2                               hysteresis
#   quorum.conf:10  virtual_server 192.0.2.61 80 / weight 6                                   server: weight
#   quorum.conf:11  virtual_server 192.0.2.61 80 / real_server 10.0.0.1 80                    server "10.0.0.1:80"
#   quorum.conf:12  virtual_server 192.0.2.61 80 / real_server 10.0.0.1 80 / uthreshold 1000  server: upper_threshold
#   quorum.conf:13  virtual_server 192.0.2.61 80 / real_server 10.0.0.1 80 / lthreshold 800   server: lower_threshold
#   quorum.conf:17  virtual_server 192.0.2.61 80 / real_server 10.0.0.1 80 / TCP_CHECK        check "tcp"
#   quorum.conf:19  virtual_server 192.0.2.61 80 / real_server 10.0.0.2 80                    server "10.0.0.2:80"
#   quorum.conf:20  virtual_server 192.0.2.61 80 / real_server 10.0.0.2 80 / TCP_CHECK        check "tcp"
#
