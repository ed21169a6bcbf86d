//go:build tools

// Package tools names the programs of grpc-go that the tests start, so that go.mod and go.sum hold what they need.
package tools

import (
	_ "google.golang.org/grpc/interop/client"
	_ "google.golang.org/grpc/interop/server"
)
