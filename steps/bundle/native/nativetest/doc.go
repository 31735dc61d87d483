// Package nativetest makes native bundles for tests: a small sound one, and
// whatever an Edit makes of it, at any stage of its making. What a publisher
// could do wrong, or on purpose, is signed properly by the trusted key; what
// somebody on the way could do is done to the finished bytes.
//
//	kit := nativetest.New(t)
//	sound := kit.Make(t, nativetest.Edit{})
//	older := kit.Make(t, nativetest.Edit{Release: func(b *nativetest.Bundle) { b.Release.Epoch = 1 }})
//
// Start at Kit.Make.
package nativetest
