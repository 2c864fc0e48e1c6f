# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   misc-check.conf:23: virtual_server 192.0.2.30 5432 / real_server 10.0.0.31 5432 / MISC_CHECK: "check_pg" has no absolute path, and there is no shell to look for it; a server without a check counts as up; correct it, then import again
#
# changed meaning:
#   misc-check.conf:2: virtual_server 192.0.2.30 3306: no vrrp_instance has the address: vip "192.0.2.30" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   misc-check.conf:6, misc-check.conf:13: MISC_CHECK: the servers' scripts differ in address and port alone, which a shell takes from QUORATE_ADDRESS, QUORATE_PORT and QUORATE_SERVER here, so that one check does for all

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# misc-check.conf:2
vip "192.0.2.30" {
  address = "192.0.2.30/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# misc-check.conf:2
service "tcp-192.0.2.30-3306" {
  vip       = "192.0.2.30"
  port      = 3306
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  check "script" {
    interval       = "10s"
    timeout        = "5s"
    rise           = 1
    fall           = 1
    command        = ["/bin/sh", "-c", "exec '/usr/lib/checks/mysql.sh' \"$QUORATE_ADDRESS\" '3306' 'a b'"]
    user           = "checker"
    dynamic_weight = true
  }

  server "10.0.0.31:3306" { weight = 1 }
  server "10.0.0.32:3306" { weight = 1 }
}

# misc-check.conf:20
service "tcp-192.0.2.30-5432" {
  vip       = "192.0.2.30"
  port      = 5432
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  server "10.0.0.31:5432" { weight = 1 }
}

# All findings:
# unsupported (2)
#   misc-check.conf:23  virtual_server 192.0.2.30 5432 / real_server 10.0.0.31 5432 / MISC_CHECK                               "check_pg" has no absolute path, and there is no shell to look for it; a server without a check counts as up; correct it, then import again
#   misc-check.conf:24  virtual_server 192.0.2.30 5432 / real_server 10.0.0.31 5432 / MISC_CHECK / misc_path "check_pg 10.0.…  it is part of MISC_CHECK
#
# changed meaning (3)
#   misc-check.conf:2   virtual_server 192.0.2.30 3306                                            no vrrp_instance has the address: vip "192.0.2.30" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   misc-check.conf:6   virtual_server 192.0.2.30 3306 / real_server 10.0.0.31 3306 / MISC_CHECK  the servers' scripts differ in address and port alone, which a shell takes from QUORATE_ADDRESS, QUORATE_PORT and QUORATE_SERVER here, so that one check does for all
#   misc-check.conf:13  virtual_server 192.0.2.30 3306 / real_server 10.0.0.32 3306 / MISC_CHECK  the servers' scripts differ in address and port alone, which a shell takes from QUORATE_ADDRESS, QUORATE_PORT and QUORATE_SERVER here, so that one check does for all
#
# mapped (16)
#   misc-check.conf:1   global_defs                                                                                            cluster, and notify blocks: see what stands in it
#   misc-check.conf:1   global_defs / script_user checker                                                                      user
#   misc-check.conf:2   virtual_server 192.0.2.30 3306                                                                         service "tcp-192.0.2.30-3306"
#   misc-check.conf:3   virtual_server 192.0.2.30 3306 / protocol TCP                                                          protocol
#   misc-check.conf:4   virtual_server 192.0.2.30 3306 / delay_loop 10                                                         check: interval
#   misc-check.conf:5   virtual_server 192.0.2.30 3306 / real_server 10.0.0.31 3306                                            server "10.0.0.31:3306"
#   misc-check.conf:7   virtual_server 192.0.2.30 3306 / real_server 10.0.0.31 3306 / MISC_CHECK / misc_path "/usr/lib/check…  check "script": command
#   misc-check.conf:8   virtual_server 192.0.2.30 3306 / real_server 10.0.0.31 3306 / MISC_CHECK / misc_timeout 5              check: timeout
#   misc-check.conf:9   virtual_server 192.0.2.30 3306 / real_server 10.0.0.31 3306 / MISC_CHECK / misc_dynamic                check: dynamic_weight
#   misc-check.conf:12  virtual_server 192.0.2.30 3306 / real_server 10.0.0.32 3306                                            server "10.0.0.32:3306"
#   misc-check.conf:14  virtual_server 192.0.2.30 3306 / real_server 10.0.0.32 3306 / MISC_CHECK / misc_path "/usr/lib/check…  check "script": command
#   misc-check.conf:15  virtual_server 192.0.2.30 3306 / real_server 10.0.0.32 3306 / MISC_CHECK / misc_timeout 5              check: timeout
#   misc-check.conf:16  virtual_server 192.0.2.30 3306 / real_server 10.0.0.32 3306 / MISC_CHECK / misc_dynamic                check: dynamic_weight
#   misc-check.conf:20  virtual_server 192.0.2.30 5432                                                                         service "tcp-192.0.2.30-5432"
#   misc-check.conf:21  virtual_server 192.0.2.30 5432 / protocol TCP                                                          protocol
#   misc-check.conf:22  virtual_server 192.0.2.30 5432 / real_server 10.0.0.31 5432                                            server "10.0.0.31:5432"
#
