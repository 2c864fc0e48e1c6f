package agent

import (
	"os"
	"strconv"
)

// eachThread calls f with the number of each thread of this process, and returns the last error. A thread that is made meanwhile, by one
// whose turn is still to come, is found by another round.
func eachThread(f func(id int) error) (err error) {
	done := map[int]bool{}
	for again := true; again; {
		again = false
		tasks, e := os.ReadDir("/proc/self/task")
		if e != nil {
			return e
		}
		for _, t := range tasks {
			id, e := strconv.Atoi(t.Name())
			if e != nil || done[id] {
				continue
			}
			done[id], again = true, true
			if e := f(id); e != nil {
				err = e
			}
		}
	}
	return err
}
