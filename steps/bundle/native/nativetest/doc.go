// Package nativetest makes native bundles for tests: a small sound one, and
// variants that an Edit makes at any stage. A publisher's mistake or malice is
// signed properly by the trusted key; an attack on the way changes the finished
// bytes.
//
//	kit := nativetest.New(t)
//	sound := kit.Make(t, nativetest.Edit{})
//	older := kit.Make(t, nativetest.Edit{Release: func(b *nativetest.Bundle) { b.Release.Epoch = 1 }})
//
// Start at Kit.Make.
package nativetest
