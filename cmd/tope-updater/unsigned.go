package main

import (
	"os"

	"github.com/tope/updater/steps/bundle"
)

// unsigned is a bundle format that nobody can sign, on a device that demands a
// signature: it is known, and refused for what it is.
type unsigned struct{ bundle.Format }

func (u unsigned) Open(*os.File, int64, bundle.Limits) (bundle.Bundle, error) {
	return nil, bundle.Invalid("the configuration demands a signature ([trust] require_signature), and a %s cannot be signed", u.Name())
}
