// Package preflight tries whether all that can be known before a switch is asked
// before it: a release that does not fit fails with the services running on, whatever
// does not fit, and is not put into quarantine; one that fits is not refused.
package preflight
