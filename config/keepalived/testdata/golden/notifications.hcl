# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   notifications.conf:19: vrrp_instance N / notify_master_rx_lower_pri /etc/ka/lower.sh: no script is run when another router is heard; `quorate events` and notify blocks of the leader tell of it
#
# changed meaning:
#   notifications.conf:3: global_defs / smtp_server 2001:db8::25 587: notify "mail": server, in the clear as keepalived sends (starttls = false); the leader sends it, once for the cluster; leave starttls out, if the server can do it and is not on the same host
#   notifications.conf:5: global_defs / smtp_alert_checker true: notify "mail": events; it tells of all VIPs and services, or of none
#   notifications.conf:6: global_defs / no_email_faults: mail is sent of the kinds of events that the notify block names; take out the kinds that nobody wants to read
#   notifications.conf:12: vrrp_instance N / virtual_router_id 1: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   notifications.conf:14: vrrp_instance N / notify_master /etc/ka/master.sh: notify "N-states": a shell runs it where QUORATE_STATE is MASTER; one runs after another, for 5m at most
#   notifications.conf:15: vrrp_instance N / notify_backup /etc/ka/backup.sh: notify "N-states": a shell runs it where QUORATE_STATE is BACKUP; one runs after another, for 5m at most
#   notifications.conf:16: vrrp_instance N / notify_fault "/etc/ka/fault.sh N" root: notify "N-states": a shell runs it where QUORATE_STATE is FAULT; one runs after another, for 5m at most
#   notifications.conf:17: vrrp_instance N / notify_stop /etc/ka/stop.sh: notify "N-states": a shell runs it where QUORATE_STATE is STOP; one runs after another, for 5m at most
#   notifications.conf:21: vrrp_instance N / notify /etc/ka/any.sh: notify "N": the last arguments are as from keepalived, but the priority is always 100; one runs after another, for 5m at most
#   notifications.conf:22, notifications.conf:26, notifications.conf:27: smtp_alert: notify "mail": events; it tells of all VIPs and services, or of none

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# notifications.conf:12
virtual_router "N" {
  vrid    = 1
  version = 2
}

# A virtual IP address, which one node at a time owns.
# notifications.conf:13
vip "N" {
  address        = "10.10.0.1/24"
  interface      = "eth0"
  virtual_router = "N"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# notifications.conf:24
service "tcp-10.10.0.1-80" {
  vip       = "N"
  port      = 80
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  check "tcp" {
    interval      = "1m"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
  }

  server "10.10.1.1:80" { weight = 1 }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# notifications.conf:21
notify "N" {
  vips = ["N"]

  script {
    command = ["/etc/ka/any.sh"]
    user    = "root"
    timeout = "5m"
  }
}

# notifications.conf:15, notifications.conf:16, notifications.conf:14, notifications.conf:17
notify "N-states" {
  vips = ["N"]

  script {
    command = ["/bin/sh", "-c", "case \"$QUORATE_TYPE $QUORATE_NAME $QUORATE_STATE\" in 'INSTANCE N BACKUP') exec '/etc/ka/backup.sh';; 'INSTANCE N FAULT') exec '/etc/ka/fault.sh' 'N';; 'INSTANCE N MASTER') exec '/etc/ka/master.sh';; 'INSTANCE N STOP') exec '/etc/ka/stop.sh';; esac"]
    user    = "root"
    timeout = "5m"
  }
}

# notifications.conf:3
notify "mail" {
  events = ["health", "service"]

  email {
    server   = "[2001:db8::25]:587"
    from     = "quorate@localhost"
    to       = ["a@example.org", "b@example.org"]
    starttls = false
  }
}

# notifications.conf:7
notify "notify-fifo" {

  fifo { path = "/run/keepalived.fifo" }
}

# All findings:
# unsupported (1)
#   notifications.conf:19  vrrp_instance N / notify_master_rx_lower_pri /etc/ka/lower.sh  no script is run when another router is heard; `quorate events` and notify blocks of the leader tell of it
#
# changed meaning (12)
#   notifications.conf:3   global_defs / smtp_server 2001:db8::25 587                              notify "mail": server, in the clear as keepalived sends (starttls = false); the leader sends it, once for the cluster; leave starttls out, if the server can do it and is not on the same host
#   notifications.conf:5   global_defs / smtp_alert_checker true                                   notify "mail": events; it tells of all VIPs and services, or of none
#   notifications.conf:6   global_defs / no_email_faults                                           mail is sent of the kinds of events that the notify block names; take out the kinds that nobody wants to read
#   notifications.conf:12  vrrp_instance N / virtual_router_id 1                                   the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   notifications.conf:14  vrrp_instance N / notify_master /etc/ka/master.sh                       notify "N-states": a shell runs it where QUORATE_STATE is MASTER; one runs after another, for 5m at most
#   notifications.conf:15  vrrp_instance N / notify_backup /etc/ka/backup.sh                       notify "N-states": a shell runs it where QUORATE_STATE is BACKUP; one runs after another, for 5m at most
#   notifications.conf:16  vrrp_instance N / notify_fault "/etc/ka/fault.sh N" root                notify "N-states": a shell runs it where QUORATE_STATE is FAULT; one runs after another, for 5m at most
#   notifications.conf:17  vrrp_instance N / notify_stop /etc/ka/stop.sh                           notify "N-states": a shell runs it where QUORATE_STATE is STOP; one runs after another, for 5m at most
#   notifications.conf:21  vrrp_instance N / notify /etc/ka/any.sh                                 notify "N": the last arguments are as from keepalived, but the priority is always 100; one runs after another, for 5m at most
#   notifications.conf:22  vrrp_instance N / smtp_alert off                                        notify "mail": events; it tells of all VIPs and services, or of none
#   notifications.conf:26  virtual_server 10.10.0.1 80 / smtp_alert on                             notify "mail": events; it tells of all VIPs and services, or of none
#   notifications.conf:27  virtual_server 10.10.0.1 80 / real_server 10.10.1.1 80 / smtp_alert no  notify "mail": events; it tells of all VIPs and services, or of none
#
# ignored: not needed (3)
#   notifications.conf:4   global_defs / smtp_helo_name lb               mail names the node itself
#   notifications.conf:18  vrrp_instance N / notify_deleted              what is gone from the configuration is always told as DELETED
#   notifications.conf:20  vrrp_instance N / notify_priority_changes on  there are no priorities to tell of
#
# mapped (15)
#   notifications.conf:1   global_defs                                                         cluster, and notify blocks: see what stands in it
#   notifications.conf:2   global_defs / notification_email                                    notify "mail": to
#   notifications.conf:2   global_defs / notification_email / a@example.org                    it is part of notification_email
#   notifications.conf:2   global_defs / notification_email / b@example.org                    it is part of notification_email
#   notifications.conf:7   global_defs / notify_fifo /run/keepalived.fifo                      notify "notify-fifo": fifo
#   notifications.conf:8   global_defs / script_user root                                      user
#   notifications.conf:10  vrrp_instance N                                                     vip "N"
#   notifications.conf:11  vrrp_instance N / interface eth0                                    vip: interface
#   notifications.conf:12  vrrp_instance N / virtual_router_id 1                               virtual_router: vrid
#   notifications.conf:13  vrrp_instance N / virtual_ipaddress                                 vip: address
#   notifications.conf:13  vrrp_instance N / virtual_ipaddress / 10.10.0.1/24                  vip "N": address
#   notifications.conf:24  virtual_server 10.10.0.1 80                                         service "tcp-10.10.0.1-80"
#   notifications.conf:25  virtual_server 10.10.0.1 80 / protocol TCP                          protocol
#   notifications.conf:27  virtual_server 10.10.0.1 80 / real_server 10.10.1.1 80              server "10.10.1.1:80"
#   notifications.conf:28  virtual_server 10.10.0.1 80 / real_server 10.10.1.1 80 / TCP_CHECK  check "tcp"
#
