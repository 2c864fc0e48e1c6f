# Both ways to write a virtual router, and a rehearsal.
cluster { mode = "shadow" }

group "front" { prefer = ["lb1", "lb2"] }

virtual_router "VI_1" {
  vrid          = 51
  version       = 2
  priority      = 254
  interval      = "2s"
  password      = "secret12"
  peers         = ["192.0.2.5", "192.0.2.6"]
  unicast       = true
  source        = "192.0.2.250"
  vmac          = true
  preempt       = true
  preempt_delay = "30s"
  yield         = false
}

virtual_router "VI_6" {
  vrid      = 51
  hmac_keys = ["1:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"]
  hmac_mode = "permissive"
  peers     = ["fe80::5"]
  preempt   = false
}

vip "web" {
  address        = "192.0.2.10/24"
  group          = "front"
  virtual_router = "VI_1"
}

vip "web6" {
  address        = "2001:db8::10/64"
  interface      = "eth0"
  group          = "front"
  virtual_router = "VI_6"
}

vip "link6" {
  address        = "fe80::10/64"
  interface      = "eth0"
  group          = "front"
  virtual_router = "VI_6"
}

vip "db" {
  address = "192.0.2.20/24"
  mode    = "live"
  vrrp {
    vrid     = 52
    priority = 200
    checksum = "message-only"
    peers    = ["192.0.2.5"]
  }
}
