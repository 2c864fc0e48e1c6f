// Package script runs programs that an operator has named: checks and notifications.
//
// It decides what is safe to run ([Check], keepalived's script security) and how a run ends ([Command.Run]): a program that takes too long is killed
// with its whole process group, what it prints is bounded, and it inherits neither the agent's environment nor its files. It never decides what a
// result means, and never retries.
//
//	c := script.Command{Args: []string{"/usr/local/bin/check", "web"}, User: "nobody"}
//	if err := c.Check(); err != nil {
//		return err // says which file, and the cure
//	}
//	res, err := c.Run(ctx) // ctx has the timeout
package script
