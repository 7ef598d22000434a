# One image for the API, the worker and the migrations: the command says which.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/opt/perdure
WORKDIR /opt/perdure

# before the code, so that a change of code does not install everything anew
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY . .
RUN useradd --system --uid 10001 --home-dir /var/lib/perdure --create-home perdure
USER perdure
WORKDIR /var/lib/perdure

ENTRYPOINT ["python", "-P", "-m", "cli.main"]
CMD ["--help"]
