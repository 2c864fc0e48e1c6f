// Package health probes real servers and turns the results into verdicts.
//
// It decides one thing: whether, from where this process stands, a target is up or down. It never decides what follows
// from that: whether the cluster takes a server out is for the leader, who hears several observers, and which targets
// this node observes is for the caller, who hands the whole wanted set to [Engine.Set]. Nothing is remembered on disk.
//
//	              rise successes in a row
//	   ┌───────────────────────────────────────┐
//	   │             ┌──────────────────────┐  │
//	   │             │  rise successes      ▼  ▼
//	unknown         down ◄──────────────── up
//	   │             ▲      fall failures
//	   └─────────────┘
//	     fall failures in a row
//
// The pieces, from the inside out: [Tracker] is the diagram above and nothing else; a [Prober] asks one target once and says in words what it
// saw; the [Engine] decides when to ask whom. An idle target costs an entry in a heap, not a goroutine or a timer: one scheduler sleeps until the
// earliest is due. Only probes that are under way have a goroutine, at most Options.Concurrency of them; on Linux those that do nothing but connect, or
// ask by HTTP/1.1 and get a short answer, have none at all. Who knows of a change before the next probe says so with [Engine.Hint]. How a probe's packets
// leave this machine is its target's [Egress]. See DESIGN.md.
//
//	e := health.New(health.Options{OnTransition: func(t health.Transition) {
//		fmt.Println(t.ID, t.Up, t.Detail) // web down "status 503, want 200-299"
//	}})
//	e.Set([]health.Target{{
//		ID: "web", Type: health.TypeHTTP, Addr: netip.MustParseAddrPort("10.0.0.11:8080"),
//		Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
//		HTTP: health.HTTP{URLs: []health.URL{{Path: "/healthz"}}},
//	}})
//	err := e.Run(ctx)
package health
