package script

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// ErrInsecure is what Check's refusals for the sake of security are.
var ErrInsecure = errors.New("not secure")

// ErrUser is what Check's refusals for the sake of the user are: there is none of that name here, or this process may not become it.
var ErrUser = errors.New("user")

// account is whom a program runs as.
type account struct {
	name   string
	uid    uint32
	gid    uint32
	groups []uint32
	home   string
}

// accountOf finds a user; "" is who this process is.
func accountOf(name string) (account, error) {
	if name == "" {
		return account{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid()), home: "/"}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, fmt.Errorf("%w %q: %w; make the user on this node, or name another", ErrUser, name, err)
	}
	a := account{name: u.Username, home: u.HomeDir}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return a, fmt.Errorf("user %q: %w", name, err)
	}
	a.uid, a.gid = uint32(uid), uint32(gid)
	ids, err := u.GroupIds()
	if err != nil {
		return a, fmt.Errorf("groups of user %q: %w", name, err)
	}
	for _, id := range ids {
		if g, err := strconv.ParseUint(id, 10, 32); err == nil {
			a.groups = append(a.groups, uint32(g))
		}
	}
	return a, nil
}

// in reports whether the account belongs to a group.
func (a account) in(gid uint32) bool {
	if a.gid == gid {
		return true
	}
	for _, g := range a.groups {
		if g == gid {
			return true
		}
	}
	return false
}

// Check says why the program must not be run here, now: it is not there, is no program, or may be changed by somebody who is not root though root
// would run it. Links are followed; of each directory on the way the same is asked.
func (c Command) Check() error {
	if len(c.Args) == 0 || !filepath.IsAbs(c.Args[0]) {
		return fmt.Errorf("script %q: it is no absolute path", c.name())
	}
	who, err := accountOf(c.User)
	if err != nil {
		return fmt.Errorf("script %s: %w", c.name(), err)
	}
	if self := uint32(os.Geteuid()); who.uid != self && self != 0 {
		return fmt.Errorf("script %s: only root can run it as %w %q, and this is not root; run it as root, or name no user", c.name(), ErrUser, c.User)
	}
	path, err := filepath.EvalSymlinks(c.Args[0])
	if err != nil {
		return fmt.Errorf("script %s: %w", c.name(), short(err))
	}
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("script %s: %w", c.name(), short(err))
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("script %s: it is a %s, not a program", c.name(), kind(st.Mode()))
	}
	if !executable(st, who) {
		as := ""
		if c.User != "" {
			as = " for user " + c.User
		}
		return fmt.Errorf("script %s: it has no execute bit%s; run: chmod +x %s", c.name(), as, path)
	}
	if who.uid != 0 {
		return nil
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		st, err := os.Lstat(dir)
		if err != nil {
			return fmt.Errorf("script %s: %w", c.name(), short(err))
		}
		if err := rootOwned(dir, st); err != nil {
			return fmt.Errorf("script %s, which root would run: %w", c.name(), err)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// rootOwned says who besides root may change what is at path.
func rootOwned(path string, st fs.FileInfo) error {
	sys, ok := st.Sys().(*syscall.Stat_t)
	mode := st.Mode().Perm()
	sticky := st.IsDir() && st.Mode()&fs.ModeSticky != 0 // there nobody can replace what is root's
	switch {
	case !ok:
		return fmt.Errorf("%w: who owns %s cannot be told here", ErrInsecure, path)
	case sys.Uid != 0:
		return fmt.Errorf("%w: %s belongs to user %d; run: chown root %s, or name another user to run it as", ErrInsecure, path, sys.Uid, path)
	case mode&0o002 != 0 && !sticky:
		return fmt.Errorf("%w: everybody may write to %s; run: chmod o-w %s", ErrInsecure, path, path)
	case mode&0o020 != 0 && sys.Gid != 0 && !sticky:
		return fmt.Errorf("%w: group %d may write to %s; run: chmod g-w %s", ErrInsecure, sys.Gid, path, path)
	}
	return nil
}

// executable reports whether the account has the execute bit of the file.
func executable(st fs.FileInfo, who account) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	mode := st.Mode().Perm()
	switch {
	case !ok || who.uid == 0:
		return mode&0o111 != 0
	case sys.Uid == who.uid:
		return mode&0o100 != 0
	case who.in(sys.Gid):
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

func kind(m fs.FileMode) string {
	if m.IsDir() {
		return "directory"
	}
	return "special file"
}

// short is a path error without the path, which is named beside it.
func short(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
