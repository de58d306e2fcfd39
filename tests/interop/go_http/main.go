// An http server and client in Go, for the tests: built without cgo it is a static program whose runtime makes its
// own system calls.
//
//	go_http serve DIRECTORY ADDRESS
//	go_http get URL FILE COUNT     COUNT times at once; all must be the same
package main

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
)

func get(url string) []byte {
	response, err := http.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		log.Fatal(response.Status, err)
	}
	return body
}

func main() {
	if os.Args[1] == "serve" {
		log.Fatal(http.ListenAndServe(os.Args[3], http.FileServer(http.Dir(os.Args[2]))))
	}
	count, err := strconv.Atoi(os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	bodies := make(chan []byte)
	for i := 0; i < count; i++ {
		go func() { bodies <- get(os.Args[2]) }()
	}
	first := <-bodies
	for i := 1; i < count; i++ {
		if !bytes.Equal(first, <-bodies) {
			log.Fatal("not all are the same")
		}
	}
	if err := os.WriteFile(os.Args[3], first, 0o644); err != nil {
		log.Fatal(err)
	}
}
