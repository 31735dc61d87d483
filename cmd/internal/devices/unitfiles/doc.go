// Package unitfiles tries whether the unit files that a release brings come,
// change and go with it: through updates, rollbacks, rollbacks by hand and power
// cuts, with services, sockets, timers, oneshots and instances of templates.
package unitfiles
