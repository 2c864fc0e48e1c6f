package bfd

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

// Network opens what a Speaker sends and hears by.
type Network interface {
	// Listen opens the port for one address family; hear gets each datagram, and may keep its payload only until it returns.
	Listen(v6, multihop bool, hear func(Datagram)) (Listener, error)
	// Dial opens a socket that sends along the path, from a port of its own.
	Dial(Path) (io.WriteCloser, error)
}

// Listener is an open port.
type Listener interface {
	// Run hears until Close.
	Run()
	// Drain hears what has come already, and does not wait.
	Drain()
	Close() error
}

// Status is what is known of the path of a session.
type Status struct {
	State      State
	Diag       Diag
	Remote     State // as last heard
	RemoteDiag Diag
	Since      time.Time     // of State
	WasUp      bool          // since the session is wanted
	Detection  time.Duration // how long the peer may be silent; 0 = it was never heard
	Interval   time.Duration // of what is sent
	Err        error         // why nothing is sent or heard, or the last packet was not sent; nil = nothing is wrong
}

// ear is a port to listen on.
type ear struct{ v6, multihop bool }

// live is a session with its socket.
type live struct {
	path    Path
	want    Want
	session *Session
	out     io.WriteCloser // nil = it could not be opened
	retry   time.Time      // when out is to be opened again
	status  Status
	told    State // that was noted last
}

// Speaker has the sessions of this machine. Its methods may be called from any goroutine.
type Speaker struct {
	network Network
	changed func(Path)
	wake    chan struct{}

	mu     sync.Mutex
	wanted map[Path]Want
	lives  map[Path]*live
	byMine map[uint32]*live
	ears   map[ear]Listener
	earErr map[ear]error
	listen time.Time // when a port that could not be opened is tried again
	news   []Path    // whose state has changed, and nobody was told
}

// retryAfter is how long a socket that could not be opened is left alone.
const retryAfter = time.Second

// NewSpeaker returns a speaker without sessions that has started nothing. changed is told of every change of a session's state, by Run's goroutine and with no lock held.
func NewSpeaker(n Network, changed func(Path)) *Speaker {
	return &Speaker{
		network: n, changed: changed, wake: make(chan struct{}, 1),
		wanted: map[Path]Want{}, lives: map[Path]*live{}, byMine: map[uint32]*live{}, ears: map[ear]Listener{}, earErr: map[ear]error{},
	}
}

// Set says which sessions are wanted. One that was wanted before stays as it is, also when its parameters change.
func (x *Speaker) Set(wanted map[Path]Want) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wanted = maps.Clone(wanted)
	x.signal()
}

// Status of a path's session; false when there is none yet.
func (x *Speaker) Status(p Path) (Status, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	l, ok := x.lives[p]
	if !ok {
		return Status{}, false
	}
	st := l.status
	st.State, st.Diag = l.session.State()
	st.Remote, st.RemoteDiag = l.session.Remote()
	st.Detection, st.Interval = l.session.DetectionTime(), l.session.Interval()
	st.Err = cmp.Or(x.earErr[earOf(p)], st.Err)
	return st, true
}

func (x *Speaker) signal() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Run keeps the sessions until ctx ends. The peers are told then that these are switched off, for which their paths need not be dead. All sockets are opened by the goroutine that calls it.
func (x *Speaker) Run(ctx context.Context) {
	var readers sync.WaitGroup
	x.run(ctx, &readers)
	x.close(&readers)
	readers.Wait()
}

// Try has the session of a path until it is up, or ctx ends, and says how it stood then.
func Try(ctx context.Context, n Network, p Path, w Want) Status {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var x *Speaker
	x = NewSpeaker(n, func(Path) {
		if st, _ := x.Status(p); st.State == Up {
			stop()
		}
	})
	x.Set(map[Path]Want{p: w})
	var readers sync.WaitGroup
	x.run(ctx, &readers)
	st, _ := x.Status(p)
	x.close(&readers)
	readers.Wait()
	return st
}

func (x *Speaker) run(ctx context.Context, readers *sync.WaitGroup) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		x.drainIfLate()
		wait, ok := x.step(readers)
		for _, p := range x.told() {
			x.changed(p)
		}
		if timer.Stop(); ok {
			timer.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-x.wake:
		case <-timer.C:
		}
	}
}

// told returns whose state has changed since.
func (x *Speaker) told() []Path {
	x.mu.Lock()
	defer x.mu.Unlock()
	news := x.news
	x.news = nil
	return news
}

// drainIfLate hears what waits in the sockets when the time of a session is over: this process may have had no CPU to read it, and the peer would be called dead for that.
func (x *Speaker) drainIfLate() {
	x.mu.Lock()
	now := time.Now()
	var late []Listener
	for p, l := range x.lives {
		if end := l.session.End(); !end.IsZero() && !now.Before(end) && x.ears[earOf(p)] != nil {
			late = append(late, x.ears[earOf(p)])
		}
	}
	x.mu.Unlock()
	for _, e := range late {
		e.Drain()
	}
}

// step opens and closes what is wanted and not, and has each session do what is due. It returns how long until it is to be called again; false = not before a signal.
func (x *Speaker) step(readers *sync.WaitGroup) (wait time.Duration, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	x.reconcile(now, readers)
	next := x.listen
	for _, l := range x.lives {
		x.open(l, now)
		l.session.Expire(now)
		x.pump(l, now)
		for _, at := range []time.Time{l.session.Next(), l.retry} {
			if !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	if next.IsZero() {
		return 0, false
	}
	return max(0, time.Until(next)), true
}

// reconcile makes the sessions and the ports those that are wanted.
func (x *Speaker) reconcile(now time.Time, readers *sync.WaitGroup) {
	ears := map[ear]bool{}
	for p, w := range x.wanted {
		ears[earOf(p)] = true
		l, ok := x.lives[p]
		if !ok {
			l = &live{path: p, status: Status{Since: now}, told: Down}
			mine := x.discriminator()
			l.session = NewSession(w.Params, mine, mathrand.Float64)
			x.lives[p], x.byMine[mine] = l, l
		} else if l.want.Params != w.Params {
			l.session.Configure(w.Params)
		}
		l.want = w
	}
	for p, l := range x.lives {
		if _, ok := x.wanted[p]; !ok {
			x.end(l)
		}
	}
	for e, open := range x.ears {
		if !ears[e] {
			shut(open, readers)
			delete(x.ears, e)
		}
	}
	if now.Before(x.listen) {
		return
	}
	x.listen = time.Time{}
	clear(x.earErr)
	for e := range ears {
		if x.ears[e] != nil {
			continue
		}
		open, err := x.network.Listen(e.v6, e.multihop, func(d Datagram) { x.hear(d) })
		if err != nil {
			x.earErr[e], x.listen = err, now.Add(retryAfter)
			continue
		}
		x.ears[e] = open
		readers.Go(open.Run)
	}
}

// discriminator is one that no session here has; by chance, so that nobody off the path can guess it (RFC 5880 §9).
func (x *Speaker) discriminator() uint32 {
	for {
		var b [4]byte
		_, _ = rand.Read(b[:]) // it never fails
		if n := binary.BigEndian.Uint32(b[:]); n != 0 && x.byMine[n] == nil {
			return n
		}
	}
}

// open opens the session's socket, if it has none.
func (x *Speaker) open(l *live, now time.Time) {
	if l.out != nil || now.Before(l.retry) {
		return
	}
	l.out, l.status.Err = x.network.Dial(l.path)
	if l.retry = (time.Time{}); l.status.Err != nil {
		l.out, l.retry = nil, now.Add(retryAfter)
	}
}

// pump sends what the session has to say now, and notes whether its state has changed.
func (x *Speaker) pump(l *live, now time.Time) {
	for {
		p, ok := l.session.Packet(now)
		if !ok {
			break
		}
		if l.out == nil {
			continue
		}
		if _, err := l.out.Write(p.Append(nil)); err != nil { // its source may be gone: another socket chooses anew
			_ = l.out.Close()
			l.out, l.status.Err, l.retry = nil, err, now.Add(retryAfter)
		}
	}
	if state, _ := l.session.State(); state != l.told {
		l.told, l.status.Since, l.status.WasUp = state, now, l.status.WasUp || state == Up
		x.news = append(x.news, l.path)
	}
}

// hear finds the session that a datagram is for (RFC 5880 §6.8.6, RFC 5881 §3, RFC 5883 §4).
func (x *Speaker) hear(d Datagram) {
	p, err := Parse(d.Payload)
	if err != nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	l := x.byMine[p.Yours]
	if p.Yours == 0 {
		l = x.first(d)
	}
	if l == nil || !l.path.admits(d, l.want) {
		return
	}
	now := time.Now()
	before := l.session.Next()
	l.session.Receive(p, now)
	x.pump(l, now)
	if next := l.session.Next(); len(x.news) > 0 || next.IsZero() != before.IsZero() || next.Before(before) {
		x.signal()
	}
}

// first is the session that a peer means which does not know our discriminator: of several with it the one that says the most of the path.
func (x *Speaker) first(d Datagram) (best *live) {
	for p, l := range x.lives {
		if p.admits(d, l.want) && (best == nil || p.says() > best.path.says()) {
			best = l
		}
	}
	return best
}

// says orders paths of one peer by how much they are narrowed down.
func (p Path) says() string {
	source := ""
	if p.Source.IsValid() {
		source = p.Source.String()
	}
	return source + " " + p.Interface
}

// end tells the peer that the session is switched off, and forgets it.
func (x *Speaker) end(l *live) {
	l.session.Disable()
	if l.out != nil {
		if p, ok := l.session.Packet(time.Now()); ok {
			_, _ = l.out.Write(p.Append(nil))
		}
		_ = l.out.Close()
	}
	delete(x.lives, l.path)
	delete(x.byMine, l.session.mine)
}

func (x *Speaker) close(readers *sync.WaitGroup) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range x.lives {
		x.end(l)
	}
	for e, open := range x.ears {
		shut(open, readers)
		delete(x.ears, e)
	}
}

// shut closes a port by a goroutine of its own: that waits for its reader, which may wait for the lock that the caller holds.
func shut(l Listener, readers *sync.WaitGroup) { readers.Go(func() { _ = l.Close() }) }

func earOf(p Path) ear { return ear{p.Peer.Is6(), p.Multihop} }
