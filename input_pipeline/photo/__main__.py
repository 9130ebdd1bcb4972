"""`python -m input_pipeline.photo PHOTOS --sheet out.png`: shows the fields of view found."""

from input_pipeline.photo.contact_sheet import main

if __name__ == "__main__":
    raise SystemExit(main())
