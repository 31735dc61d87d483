// Package fetch is how a device reaches its servers: through which proxy, trusting
// which certificates, with which certificate of its own, with which headers, and how
// fast. Everything that asks another machine for something over http or https goes
// through one Transport.
//
// # What it promises
//
//   - Secrets go to the server that they are for and to nobody else. Headers and client
//     certificates belong to one origin (scheme, host and port). They are added to each
//     request by its own URL, so a redirect to another host takes none along, nor does it
//     tell the other host, in a Referer, what was asked for before. A proxy that is
//     spoken to over https does not get the server's client certificate.
//   - Secrets are read from files and cannot be printed (package secret). No error of
//     this package has one in it, nor a proxy's user and password.
//   - Files are read anew for each request, and each request has a connection of its own:
//     a renewed certificate or token is in force with the next request, without a reload.
//     A file that is missing for a moment costs that request only.
//   - The certificate authorities of ca_file are trusted in addition to those of the system.
//   - An Error says what is in the way of a request, and which key of the configuration
//     helps: Kind tells callers what it is.
//   - The bandwidth is that of all the bodies of one Transport together. See Limit.
//   - A transfer whose context asks for it (Gated) ends when the gate says so, and no other.
//
// It follows no redirect, keeps no cookie and tries nothing twice: that is the caller's
// http.Client.
//
// # Where to start reading
//
// Settings (settings.go) are what an operator may say, and which of it makes sense.
// transport.go makes one request, proxy.go chooses its proxy and tls.go whom it trusts.
// error.go turns what went wrong into an Error, and hint.go says what helps after an
// answer. files.go looks at the files for doctor. limit.go is the bandwidth, rate.go how
// it is written. gate.go holds transfers back, and counts their bytes.
package fetch
