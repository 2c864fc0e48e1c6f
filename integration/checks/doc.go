// Package checks asks real servers that nobody here wrote (nginx, HAProxy, OpenSSL …) by each type of check: well, failing, slow, half-open, with garbage, killed
// in the middle of an answer. What the checks say of them is the table of docs/reference/checks.md, which the tests hold against the servers.
//
// A test starts a peer on loopback with [start], asks it with [hold], which says whether the peer is to be well, and the table gets a row for each. A peer whose
// package is missing skips its test, by the name of the package.
package checks
