package health

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loop carries out probes that need no goroutine each: those that do nothing but connect by TCP, and those by HTTP whose answer is short. It works by system
// calls that do not wait, and one epoll set in which a timer is, too. Whatever their number, the goroutine of Run waits for all of them at once.
//
// The methods are for that goroutine, but for poke. On a nil loop poke and close do nothing.
type loop struct {
	file  *os.File // the epoll set, for the runtime to wait for
	conn  syscall.RawConn
	look  func(uintptr) bool
	epoll int

	events []unix.EpollEvent
	n      int // of them that are to be looked at

	timer   int
	ringing time.Time // when the timer rings; zero = it does not
	began   time.Time
	zero    time.Duration // what CLOCK_MONOTONIC was then

	open     map[int32]*call // by descriptor
	earliest queue[*call]
	number   int32
	outcomes []outcome

	web  httpProber
	desk *desk
	in   []byte
	long []*call // whose answers wait for a goroutine that reads them
}

// connections is how many connections a process may have open for probes, and have as many files besides.
func connections() int {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return 512
	}
	return int(min(max(files.Cur/2, 64), 1<<16))
}

// newLoop is nil, and every probe has a goroutine, where the kernel gives no epoll set.
func newLoop(web httpProber, log *slog.Logger) *loop {
	l := &loop{web: web, desk: newDesk(), in: make([]byte, maxHeld), events: make([]unix.EpollEvent, 256), open: map[int32]*call{}, epoll: -1, timer: -1}
	if err := l.make(); err != nil {
		log.Warn("each probe has a goroutine: no epoll set", "err", err)
		l.close()
		return nil
	}
	return l
}

func (l *loop) make() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	_ = unix.SetNonblock(l.epoll, true) // the runtime waits for it as for a socket, with no thread of its own
	l.file = os.NewFile(uintptr(l.epoll), "epoll")
	if l.conn, err = l.file.SyscallConn(); err != nil {
		return err
	}
	l.look = func(uintptr) bool {
		l.n = rawEvents(l.epoll, l.events)
		return l.n > 0
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	l.began, l.zero = time.Now(), time.Duration(now.Nano())
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.timer, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(l.timer)})
}

// wait waits until a call has something to look at, until the given time (zero = without an end), or until somebody calls poke after a word to woken.
func (l *loop) wait(until, now time.Time, woken <-chan struct{}) {
	select {
	case <-woken:
		_ = l.file.SetReadDeadline(time.Time{})
		l.look(0)
		return
	default:
	}
	if !until.IsZero() && !until.After(now) {
		l.look(0)
		return
	}
	l.ring(until)
	// It is asked until it has nothing before it is waited for: the runtime is told of changes alone.
	if err := l.conn.Read(l.look); err != nil {
		l.n = 0
		_ = l.file.SetReadDeadline(time.Time{})
		select {
		case <-woken: // what it is about has happened before
		default:
		}
	}
}

// ring sets the timer. One of Go's would have the runtime's monitor thread wake up with it each time.
func (l *loop) ring(at time.Time) {
	if at.Equal(l.ringing) {
		return
	}
	l.ringing = at
	var spec unix.ItimerSpec
	if !at.IsZero() {
		spec.Value = unix.NsecToTimespec(int64(max(1, l.zero+at.Sub(l.began))))
	}
	_ = unix.TimerfdSettime(l.timer, unix.TFD_TIMER_ABSTIME, &spec, nil) // fails with values that are none
}

// poke ends a wait, and may be called by any goroutine.
func (l *loop) poke() {
	if l != nil {
		_ = l.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// start begins a probe. ended says that it came to its outcome at once.
func (l *loop) start(e *entry, now time.Time) (k *call, o outcome, ended bool) {
	k = &call{entry: e, target: e.target, fd: -1, start: now, deadline: now.Add(e.target.Timeout), index: -1}
	if e.target.Type == TypeHTTP {
		k.visit = newVisit(e.target, l.web.scheme())
	}
	o, ended = l.dial(k)
	return k, o, ended
}

// dial opens the connection of a call.
func (l *loop) dial(k *call) (outcome, bool) {
	if k.visit != nil {
		q, err := k.entry.questions.of(l.web, k.visit)
		if err != nil {
			return l.conclude(k, Page{}, err, time.Now())
		}
		k.asked, k.talk = false, &talk{question: q, unsent: q.text}
	}
	err := k.connect()
	if errors.Is(err, unix.EINPROGRESS) {
		l.number++
		k.number = l.number
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, k.fd, &unix.EpollEvent{
			Events: unix.EPOLLOUT | unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(k.fd), Pad: k.number,
		}))
		if err == nil {
			l.open[int32(k.fd)] = k
			l.earliest.add(k)
			return outcome{}, false
		}
	}
	if err == nil {
		err = errors.New("connected before it was waited for") // which a socket that does not wait never is
	}
	return l.conclude(k, Page{}, noConnection(err, false, *k.target), time.Now())
}

// leave closes the connection, in the ordinary way unless it is to stay half open, and forgets it.
func (l *loop) leave(k *call) {
	if k.fd < 0 {
		return
	}
	delete(l.open, int32(k.fd))
	l.earliest.remove(k)
	rawClose(k.fd) // takes it out of the epoll set, too
	k.fd = -1
}

// finished are the outcomes of what was waited for. They are good until the next call.
func (l *loop) finished(now time.Time) []outcome {
	l.outcomes = l.outcomes[:0]
	for _, ev := range l.events[:l.n] {
		if k := l.open[ev.Fd]; k != nil && k.number == ev.Pad { // else it was given up meanwhile
			if o, ended := l.advance(k, ev.Events, now); ended {
				l.outcomes = append(l.outcomes, o)
			}
		} else if ev.Fd == int32(l.timer) {
			l.ringing = time.Time{}
		}
	}
	l.n = 0
	return l.outcomes
}

// advance goes on with a call of which there is something to see.
func (l *loop) advance(k *call, events uint32, now time.Time) (outcome, bool) {
	switch {
	case k.long:
		return outcome{}, false
	case k.asked:
		return l.hear(k, nil, now)
	}
	err := k.meetsItself()
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 { // else it is open
		err = k.result()
	}
	if err != nil || k.visit == nil {
		if err != nil {
			err = noConnection(err, false, *k.target)
		}
		return l.conclude(k, Page{}, err, now)
	}
	if k.ask(); len(k.unsent) > 0 {
		l.postpone(k)
		return outcome{}, false
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 {
		return l.hear(k, nil, now)
	}
	return outcome{}, false
}

// hear takes what has come of an answer. It ends with it, or with end, if that is not nil.
func (l *loop) hear(k *call, end error, now time.Time) (outcome, bool) {
	for {
		said, closed := k.hear(l.in)
		switch {
		case closed == nil && end != nil:
			closed = end
			if said == nil {
				said = k.got
			}
		case said == nil && closed == nil: // there is no more for now
			return outcome{}, false
		}
		if closed == nil && k.question.rules.slow(maxHeld) {
			k.keep(said)
			l.postpone(k)
			return outcome{}, false
		}
		page, err, whole := l.desk.replay(said, closed, k.writeErr, *k.question, *k.target)
		if whole {
			return l.conclude(k, page, err, now)
		}
		if k.keep(said) {
			l.postpone(k)
			return outcome{}, false
		}
	}
}

// postpone leaves a call to a goroutine.
func (l *loop) postpone(k *call) {
	k.long = true
	l.long = append(l.long, k)
}

// takeLong is the next call that waits for a goroutine; nil = there is none.
func (l *loop) takeLong() *call {
	for len(l.long) > 0 {
		k := l.long[0]
		l.long[0] = nil
		l.long = l.long[1:]
		if k.fd >= 0 { // else its time was over, or it was given up
			return k
		}
	}
	l.long = nil
	return nil
}

// release gives the connection of a call away, to be closed by the caller. What was heard of it comes first.
func (l *loop) release(k *call) (net.Conn, error) {
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, k.fd, nil)
	delete(l.open, int32(k.fd))
	l.earliest.remove(k)
	return k.conn()
}

// conclude ends a connection. A call that has another URL to ask goes on with that.
func (l *loop) conclude(k *call, page Page, err error, now time.Time) (outcome, bool) {
	l.leave(k)
	if k.visit == nil {
		if err != nil {
			return k.outcome(Answer{}, err, now), true
		}
		return k.outcome(connected(*k.target, now.Sub(k.start)), nil, now), true
	}
	more, err := k.visit.take(page, err)
	switch {
	case err != nil:
		return k.outcome(Answer{}, err, now), true
	case !more:
		return k.outcome(k.visit.answer(now.Sub(k.start)), nil, now), true
	}
	return l.dial(k)
}

// late appends the outcomes of those whose time is over. One whose answer is there, and was not looked at because this machine was slow, has answered.
func (l *loop) late(out []outcome, now time.Time) []outcome {
	for l != nil {
		k, ok := l.earliest.first()
		if !ok || k.deadline.After(now) {
			break
		}
		o, ended := l.expire(k, now)
		if ended {
			out = append(out, o)
		}
	}
	return out
}

func (l *loop) expire(k *call, now time.Time) (outcome, bool) {
	switch {
	case k.asked:
		return l.hear(k, os.ErrDeadlineExceeded, now)
	case !k.answered():
		return l.conclude(k, Page{}, noConnection(os.ErrDeadlineExceeded, true, *k.target), now)
	}
	err := k.result()
	if err != nil {
		err = noConnection(err, false, *k.target)
	} else if k.visit != nil {
		err = lateAnswer(*k.target)
	}
	return l.conclude(k, Page{}, err, now)
}

// deadline is when the first of the calls is late; zero = there is none.
func (l *loop) deadline() time.Time {
	if l == nil {
		return time.Time{}
	}
	if k, ok := l.earliest.first(); ok {
		return k.deadline
	}
	return time.Time{}
}

// abandon gives a call up, and reports whether it was under way.
func (l *loop) abandon(k *call) bool {
	if l == nil || k.fd < 0 {
		return false
	}
	l.leave(k)
	return true
}

// close gives everything up.
func (l *loop) close() {
	if l == nil {
		return
	}
	for _, k := range l.open {
		rawClose(k.fd)
	}
	if l.timer >= 0 {
		rawClose(l.timer)
	}
	if l.file != nil {
		_ = l.file.Close()
	}
}
