package vrrp

import "time"

// DefaultDownAdverts is how many adverts in a row must fail to come before a Backup Router takes over (RFC 9568 section 6.1; keepalived's
// down_timer_adverts).
const DefaultDownAdverts = 3

// SkewTime is by how much a router of lower priority waits longer than one of higher: a whole Active_Adver_Interval at most in version 3
// (RFC 9568 section 6.1), a whole second in version 2 (RFC 3768 section 6.1).
func SkewTime(v Version, p Priority, activeInterval time.Duration) time.Duration {
	if v == V2 {
		activeInterval = time.Second
	}
	return time.Duration(256-int(p)) * activeInterval / 256
}

// ActiveDownInterval is how long a Backup Router hears nothing before it takes over: Master_Down_Interval in the older RFCs. activeInterval is the Active
// Router's in version 3, the Backup Router's own in version 2. It is also the time that a hand-over has before a neighbour with
// priority p notices: counted from the last advert that this neighbour heard.
func ActiveDownInterval(v Version, p Priority, activeInterval time.Duration, adverts int) time.Duration {
	return time.Duration(adverts)*activeInterval + SkewTime(v, p, activeInterval)
}
